"""Settings of one band, and the channels that it is embedded as."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from soc_assets.settings.base import Name, Section

ClassCode = Annotated[int, Field(ge=-(2**24), le=2**24)]  # what float32 holds exactly
_IN_FILE = re.compile(r'(?i:netcdf|hdf5|hdf4|hdf4_sds|hdf4_eos:\w+):"?(?P<file>[^":]+)"?:/*(?P<variable>[^:]+)')
_RANGE = re.compile(r"\s*(\d{4})\s*(?:-|\u2013|to|bis|:)\s*(\d{4})\s*")


def _years(entry: Any) -> list[Any]:
    """An entry of `layers`: a year as text, all years of a range."""
    if isinstance(entry, int) and not isinstance(entry, bool):
        return [str(entry)]
    if not isinstance(entry, str) or not (ends := _RANGE.fullmatch(entry)):
        return [entry]
    first, last = int(ends[1]), int(ends[2])
    if last < first:
        raise ValueError(f"layers = [{entry!r}] ends before it starts: write {last}-{first}")
    return [str(year) for year in range(first, last + 1)]


class Band(Section):
    """One raster variable."""

    name: Name
    """The word used in columns, keys and features."""
    kind: Literal["static", "yearly", "seasonal"] = "yearly"
    """static: one raster; yearly: one a year; seasonal: one a season."""
    pattern: str | None = None
    """Path relative to the rasters folder, with {band}, {year}, {season}, {date}, {start} and {end}, {tile}; None takes
    the pattern of the kind. Without {year} (or {season}) the bands of each file are the steps; see `layers`."""
    resampling: Literal["nearest", "bilinear", "average", "mode"] = "bilinear"
    """Method by which its pixels are resampled to the reference grid where the grids differ."""
    fill_values: tuple[float, ...] = ()
    """Stored numbers that mean "no data", in addition to the file's own nodata tag (MODIS: 65535, 32761)."""
    valid_range: tuple[float, float] | None = None
    """Lowest and highest valid stored number (before scale and offset, both inclusive)."""
    variable: str | None = None
    """Which variable of a NetCDF or HDF file that holds several (`tas`), or page of a TIFF (`2`); a pattern
    `netcdf:climate_{year}.nc:tas` is equivalent."""
    layer: int | None = Field(default=None, ge=1)
    """Which band of a multi-band file, counted from 1."""
    layers: tuple[str, ...] = ()
    """What the bands of a file hold, in order, for a band with time: `2007`, `2007_winter`, or `winter` where the
    pattern has {year}; years may be numbers, and `2000-2016` stands for all years of the range. Empty takes the
    descriptions of the bands in the file."""
    scale: float | None = Field(default=None, allow_inf_nan=False)
    """Factor by which stored numbers become values, in place of the scale and offset that the file states; None takes
    the file's. Everything follows from the values: statistics, point values, embeddings, maps."""
    offset: float | None = Field(default=None, allow_inf_nan=False)
    """Added after scaling, in place of what the file states; None takes 0 where `scale` is set."""
    unit: str | None = Field(default=None, max_length=40)
    """Unit of the values, for tables and figures: `m2/m2`, `K`; None takes that of the files' tags. Changes no
    number."""
    label: str | None = Field(default=None, max_length=80)
    """Name for people, for tables and figures: `Leaf area index`; None takes that of the files' tags. Changes no
    number."""
    classes: tuple[ClassCode, ...] = ()
    """Codes of a class raster, each of which becomes a band of its own (`LandCover_1`): 1 where the pixel belongs to
    the class, else 0; resampled with bilinear or average it is the share of the class."""

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, given: Any) -> Any:
        """Years as numbers and as a range, and the variable in a pattern, written out."""
        if not isinstance(given, dict):
            return given
        layers, pattern = given.get("layers"), given.get("pattern")
        if isinstance(layers, str | int):
            given = {**given, "layers": [layers]}
        if isinstance(given.get("layers"), list | tuple):
            given = {**given, "layers": [text for entry in given["layers"] for text in _years(entry)]}
        if isinstance(pattern, str) and (parts := _IN_FILE.fullmatch(pattern)):
            if given.get("variable") not in (None, parts["variable"]):
                raise ValueError(f"the pattern {pattern} names {parts['variable']}, and variable {given['variable']}")
            given = {**given, "pattern": parts["file"], "variable": parts["variable"]}
        if isinstance(given.get("variable"), int) and not isinstance(given["variable"], bool):
            given = {**given, "variable": str(given["variable"])}
        return given

    @model_validator(mode="after")
    def _one_way_to_read(self) -> Self:
        if self.valid_range and not self.valid_range[0] <= self.valid_range[1]:
            raise ValueError(f"valid_range of the band {self.name} must be [low, high], found {list(self.valid_range)}")
        if self.scale == 0:
            raise ValueError(f"scale = 0 of the band {self.name} would make every value equal: take it out")
        if self.classes and self.scaling:
            raise ValueError(f"the band {self.name} has classes, whose codes have no scale or offset: take it out")
        if self.layers and self.kind == "static":
            raise ValueError(
                f"the static band {self.name} has no steps: give it `layer`, a number, instead of `layers`"
            )
        if self.layers and self.layer:
            raise ValueError(f"the band {self.name} has both layer and layers: keep one")
        for name, values in (("layers", self.layers), ("classes", self.classes)):
            if len(set(values)) < len(values):
                raise ValueError(f"{name} of the band {self.name} names one twice: {list(values)}")
        return self

    @property
    def scaling(self) -> tuple[float, float] | None:
        """Scale and offset in place of the file's, or None where the settings say neither."""
        if self.scale is None and self.offset is None:
            return None
        return (1.0 if self.scale is None else self.scale, self.offset or 0.0)

    def deciding(self) -> dict[str, Any]:
        """What of the band decides numbers, as plain values; what was added later only where it is set."""
        values = self.model_dump(mode="json", exclude={"unit", "label"})
        return {name: value for name, value in values.items() if name not in ("scale", "offset") or value is not None}


class Channel(Band):
    """A band as the numbers see it: a `Band`, or one class of a band with `classes`."""

    of: str = ""
    """The band that it comes from, whose name is in the pattern."""
    value: int | None = None
    """The class, or None."""


def channels_of(band: Band) -> Iterator[Channel]:
    """The band itself, or one channel per class."""
    values = band.model_dump()
    if not band.classes:
        yield Channel.model_validate({**values, "of": band.name})
    for code in band.classes:
        yield Channel.model_validate({**values, "name": f"{band.name}_{code}", "of": band.name, "value": code})
