"""Settings of the rasters: the bands, where their files lie, how they are read, and the reference grid.

Only what soc.toml says and whether it is consistent; nothing here opens a file. The rules in words: docs/rasters.md.
"""

import re
from typing import Any, Self

from pydantic import Field, model_validator

from soc_assets.settings.bands import Band, Channel, channels_of
from soc_assets.settings.base import Name, Section, Share

RASTER_CHECKS = ("fill_values", "wild_pixels", "orientation", "constant", "outliers", "copies", "grid", "gaps", "files")
"""Kinds of findings about rasters (docs/check.md says what each looks at)."""
SAMPLE_CHECKS = ("samples", "columns", "carbon", "places", "coverage", "edges", "locations")
"""Kinds of findings about samples, by themselves and on rasters."""
_OF_TABLES = ("samples", "columns", "carbon", "places")  # their findings name a soil table, not a band
PATTERN_FIELDS = ("band", "year", "season", "date", "start", "end", "tile")


class ReferenceGrid(Section):
    """A custom reference grid instead of the reference band's."""

    crs: str
    """Coordinate reference system: `EPSG:25832`, WKT or a PROJ string."""
    resolution: float = Field(gt=0)
    """Edge of a pixel, units of the CRS (metres, degrees)."""
    bounds: tuple[float, float, float, float] | None = None
    """Left, bottom, right, top in the CRS; None: those of the reference band, expanded to multiples of the
    resolution."""

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.bounds and not (self.bounds[0] < self.bounds[2] and self.bounds[1] < self.bounds[3]):
            raise ValueError(f"bounds must be [left, bottom, right, top], found {list(self.bounds)}")
        return self


class Rasters(Section):
    """The bands and where their files lie."""

    reference: Name = "Elevation"
    """The static band whose grid is the reference grid, and whose embedding is the column elevation_embedding."""
    grid: ReferenceGrid | None = None
    """A custom reference grid; None takes the grid of the reference band."""
    static_pattern: str = "static/{band}.tif"
    """Files of static bands."""
    yearly_pattern: str = "yearly/{band}/{band}_{year}.tif"
    """Files of yearly bands; of a date or a period ({start}, {end}; its midpoint) the year counts."""
    seasonal_pattern: str = "seasonal/{band}/{band}_{year}_{season}.tif"
    """Files of seasonal bands; seasons are winter, spring, summer, autumn; a winter has the year of its January."""
    bands: tuple[Band, ...] = (
        Band(name="Elevation", kind="static"),
        Band(name="LAI"),
        Band(name="LST"),
        Band(name="MODIS_NPP"),
        Band(name="SoilEvaporation"),
        Band(name="TotalEvapotranspiration"),
    )
    """The bands, in the order of the feature vector."""
    min_valid_fraction: Share = 0.5
    """Minimum share of valid pixels in a window; below it the image is missing (null)."""
    drivers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """GDAL drivers by suffix, in addition to those in docs/security.md: `{ ".ers" = ["ERS"] }`. Only a file's suffix
    decides which driver may open it, never its bytes."""
    vrt_folders: tuple[str, ...] = ()
    """Folders whose files a VRT may name, in addition to its own folder and the rasters folder."""
    max_pixels_without_data: float = Field(default=5e9, gt=0)
    """Pixels that a raster may declare beyond what its file can hold; a file that declares more is refused."""
    max_block_mb: int = Field(default=1024, ge=1)
    """Largest block (tile, strip) of a raster, MB: GDAL only decodes whole blocks."""
    max_unpacked_gb: float = Field(default=4.0, gt=0)
    """Largest file in a zip that is compressed more than a hundredfold, GB."""
    accept: tuple[str, ...] = ()
    """Findings of `soc check` to accept, because the data are right as they are: "constant:LAI" or, for one step,
    "orientation:LST_2012"; of a soil table "carbon:lab.csv"."""

    @model_validator(mode="after")
    def _bands_fit_together(self) -> Self:
        names = [channel.name for channel in self.channels]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"bands named twice: {', '.join(twice)}")
        reference = next((band for band in self.bands if (band.name, band.kind) == (self.reference, "static")), None)
        if reference is None:
            raise ValueError(f"reference = {self.reference!r} is not among the static bands")
        if reference.classes:
            raise ValueError(f"the reference band {self.reference} cannot have classes: take a continuous band")
        for band in self.bands:
            self._check_pattern(band)
        return self

    @model_validator(mode="after")
    def _accepted_findings_exist(self) -> Self:
        names = [band.name for band in (*self.bands, *self.channels)]
        for entry in self.accept:
            check, _, place = entry.partition(":")
            if check not in (*RASTER_CHECKS, *SAMPLE_CHECKS):
                kinds = ", ".join((*RASTER_CHECKS, *SAMPLE_CHECKS))
                raise ValueError(
                    f"accept = [{entry!r}]: expected kind:band, kind:band_step or kind:file (of a soil table) "
                    f"with one of {kinds}"
                )
            if check in _OF_TABLES and place:
                continue
            if not any(place == name or place.startswith(name + "_") for name in names):
                raise ValueError(f"accept = [{entry!r}]: {place!r} is no band and no step of one")
        return self

    def _check_pattern(self, band: Band) -> None:
        pattern = self.pattern_of(band)
        fields = set(re.findall(r"\{(\w*)\}", pattern))
        if unknown := sorted(fields - set(PATTERN_FIELDS)):
            known = ", ".join(f"{{{name}}}" for name in PATTERN_FIELDS)
            raise ValueError(f"the pattern {pattern} of the band {band.name} has {{{unknown[0]}}}; known are {known}")
        if len(fields & {"start", "end"}) == 1:
            raise ValueError(f"the pattern {pattern} of the band {band.name} needs both {{start}} and {{end}}")
        if band.kind == "static" and (timed := sorted(fields & {"year", "season", "date", "start", "end"})):
            raise ValueError(f"the pattern {pattern} of the static band {band.name} has {{{timed[0]}}}: it has no time")
        if self.steps_in_file(band) and band.layer:
            raise ValueError(
                f"the band {band.name} has layer = {band.layer}, but its pattern {pattern} does not say which step a "
                "file holds: put {year} into the pattern, or give `layers`"
            )
        if not self.steps_in_file(band) and band.layers:
            raise ValueError(
                f"the band {band.name} has layers, but its pattern {pattern} already says which step a file holds"
            )

    def steps_in_file(self, band: Band) -> bool:
        """Whether the bands of a file are steps, because the pattern does not say which step the file holds."""
        pattern = self.pattern_of(band)
        if band.kind == "static" or "{date}" in pattern or "{start}" in pattern:
            return False
        return any(f"{{{name}}}" not in pattern for name in ("year", "season")[: 1 + (band.kind == "seasonal")])

    def pattern_of(self, band: Band) -> str:
        """The band's own pattern, or that of its kind."""
        by_kind = {"static": self.static_pattern, "yearly": self.yearly_pattern, "seasonal": self.seasonal_pattern}
        return band.pattern or by_kind[band.kind]

    def deciding(self) -> dict[str, Any]:
        """What decides which rasters are usable and what is in them, as plain values: labels and units do not."""
        return {**self.model_dump(mode="json"), "bands": [band.deciding() for band in self.bands]}

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The bands as everything after the files sees them: a band with classes is one per class."""
        return tuple(channel for band in self.bands for channel in channels_of(band))

    @property
    def seasonal(self) -> bool:
        """Whether any band is seasonal: then steps count seasons (a yearly band still counts years)."""
        return any(band.kind == "seasonal" for band in self.bands)

    @property
    def timed(self) -> bool:
        """Whether any band has time, so that samples need a date."""
        return any(band.kind != "static" for band in self.bands)
