"""Which band of a file is which step, and whether a file's content can be used at all.

Refusals that need the opened file belong here; what every file must have to be opened is in `rasters.opening`.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from rasterio.io import DatasetReader

from soc_assets.errors import RasterError
from soc_assets.ingest.catalog.dates import step_of_text
from soc_assets.ingest.catalog.find import RasterFile
from soc_assets.rasters.cf import dates, require_even_axes
from soc_assets.rasters.classes import is_classes
from soc_assets.rasters.georeferencing import opened_as, require_datum, require_no_wrapping
from soc_assets.rasters.reading import alpha_band

_MOST_CALLED = 60  # descriptions of bands in a message


@dataclass(frozen=True)
class Layer:
    """A band of a file, counted from 1, and the step that it holds."""

    index: int
    year: int | None
    season: str | None


def layers_of(dataset: DatasetReader, file: RasterFile) -> list[Layer]:
    """The bands of a file that are read, in the file's order.

    Raises:
        RasterError: the file holds another number of bands than expected, or what they are called names no step.
    """
    alpha = alpha_band(dataset)
    usable = [n for n in range(1, dataset.count + 1) if n != alpha]
    if alpha is not None:
        _require_no_step(dataset, file, alpha)
    if file.steps_in_file:
        return _steps(dataset, file, usable)
    if file.band.layer:
        if file.band.layer > dataset.count:
            raise RasterError(
                f"The raster {file.path} holds {len(usable)} band(s), and layer = {file.band.layer} of the band "
                f"{file.band.name} asks for another. Correct `layer` in [[rasters.bands]] of soc.toml."
            )
        return [Layer(file.band.layer, file.year, file.season)]
    if len(usable) != 1:
        advice = "" if file.band.kind == "static" else ", or leave {year} out of its pattern if they are its steps"
        raise RasterError(
            f"The raster {file.path} holds {len(usable)} bands where one is expected (they are called "
            f"{_called(dataset, usable)}). Say which to take, `layer = 1`, in the band {file.band.name} of soc.toml"
            f"{advice}; or take one out: rio stack --bidx 1 {opened_as(dataset)} one_band.tif"
        )
    return [Layer(usable[0], file.year, file.season)]


def require_usable(dataset: DatasetReader, file: RasterFile, index: int) -> None:
    """Refuse what would be misread.

    Raises:
        RasterError: complex numbers, a class raster in a band not declared as one, an ellipsoid without a datum, a pole
            or the antimeridian in the raster.
    """
    if "complex" in dataset.dtypes[index - 1]:
        raise RasterError(
            f"The raster {file.path} holds complex numbers ({dataset.dtypes[index - 1]}) where one number per pixel is "
            "expected. Take amplitude or phase: rio convert DERIVED_SUBDATASET:AMPLITUDE:"
            f"{opened_as(dataset)} amplitude.tif"
        )
    if (
        not file.band.classes
        and file.band.resampling not in ("mode", "nearest")
        and is_classes(dataset, file.path, index)
    ):
        raise RasterError(
            f"The raster {file.path} is a class raster (it has a colour table, names of categories, an attribute table "
            "with names or flags with meanings), and means of its codes say nothing. In the band "
            f"{file.band.name} of soc.toml give "
            '`classes = [1, 2, 5]` (a band for each), or `resampling = "mode"` to take the codes as numbers on purpose.'
        )
    require_even_axes(dataset, file.path)
    require_datum(dataset, file.path)
    require_no_wrapping(dataset, file.path)


def _steps(dataset: DatasetReader, file: RasterFile, usable: list[int]) -> list[Layer]:
    band, called = file.band, file.band.layers or descriptions(dataset, usable)
    where = "`layers` of soc.toml" if band.layers else "the descriptions in the file"
    cure = (
        f"Give the band {band.name} in soc.toml its steps in the order of the file, for example layers = "
        f"{['2007', '2008'] if band.kind == 'yearly' else ['2007_winter', '2007_spring']}, or put {{year}} into its "
        "pattern if each file is one step."
    )
    if len(called) != len(usable):
        raise RasterError(
            f"The raster {file.path} holds {len(usable)} bands (called {_called(dataset, usable)}), and `layers` of "
            f"soc.toml names {len(called)}: {', '.join(called)}. {cure}"
        )
    layers = []
    for index, text in zip(usable, called, strict=True):
        try:
            layers.append(Layer(index, *step_of_text(text, band.kind, file.year, file.season)))
        except ValueError as error:
            raise RasterError(
                f"Which step band {index} of the raster {file.path} holds cannot be told from {where} "
                f"({', '.join(map(repr, called))}): {error}. {cure}"
            ) from None
    if len({(layer.year, layer.season) for layer in layers}) < len(layers):
        raise RasterError(f"Two bands of the raster {file.path} are the same step: {', '.join(called)}. {cure}")
    return layers


def otherwise(dataset: DatasetReader, usable: list[int], layers: Sequence[Layer], kind: str) -> list[tuple[Layer, str]]:
    """The bands to which `layers` of the settings assign another step than the file states, and what it states.

    Args:
        dataset: the open file.
        usable: its bands but alpha.
        layers: their steps by the settings.
        kind: yearly or seasonal.
    """
    said = dict(zip(usable, descriptions(dataset, usable), strict=True))
    found = []
    for layer in layers:
        with suppress(ValueError):  # of no step, or of several: no contradiction
            if step_of_text(said.get(layer.index, ""), kind) != (layer.year, layer.season):
                found.append((layer, said[layer.index]))
    return found


def _require_no_step(dataset: DatasetReader, file: RasterFile, alpha: int) -> None:
    """Refuse a file whose alpha band is a step: GDAL marks the fourth band of 8-bit numbers so unless it is told."""
    text = dataset.descriptions[alpha - 1] or ""
    named = file.steps_in_file and (
        len(file.band.layers) == dataset.count or (not file.band.layers and any(map(str.isdigit, text)))
    )
    if named or file.band.layer == alpha:
        meanings = ",".join(["gray", *["undefined"] * (dataset.count - 1)])
        raise RasterError(
            f"Band {alpha} of the raster {file.path} is marked as its alpha band, which says where the others are "
            f"transparent, and the settings or its description {text!r} take it for values of {file.band.name}. If it "
            f"holds values, say so in the file: rio edit-info --colorinterp {meanings} {opened_as(dataset)}; if it is "
            "transparency, leave it out of `layers` or `layer`."
        )


def descriptions(dataset: DatasetReader, usable: list[int]) -> tuple[str, ...]:
    """What bands of a file are called in it; where they are not, their days by the time axis of a NetCDF file."""
    own = [dataset.descriptions[n - 1] or "" for n in usable]
    days = [] if any(own) else dates(dataset)
    return tuple(days[n - 1] for n in usable) if days else tuple(own)


def _called(dataset: DatasetReader, usable: list[int]) -> str:
    more = f" and {len(usable) - _MOST_CALLED} more" if len(usable) > _MOST_CALLED else ""
    return ", ".join(map(repr, descriptions(dataset, usable[:_MOST_CALLED]))) + more
