"""Which band of a file is which step, and whether a file's content can be used at all.

Refusals that need the opened file belong here; what every file must have to be opened is in `rasters.io`.
"""

import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import rasterio.shutil
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from soc_assets.errors import RasterError
from soc_assets.ingest.grid import WGS84, Grid, move
from soc_assets.ingest.rasters.dates import step_of_text
from soc_assets.ingest.rasters.files import RasterFile
from soc_assets.ingest.rasters.io import crs_of

_ALONG = 33  # points along each edge at which a raster's place on Earth is looked at


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
    usable = [n for n, meaning in enumerate(dataset.colorinterp, start=1) if meaning != ColorInterp.alpha]
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
            f"{advice}; or take one out: gdal_translate -b 1 {file.path.rpartition('/')[2]} one_band.tif"
        )
    return [Layer(usable[0], file.year, file.season)]


def require_usable(dataset: DatasetReader, file: RasterFile, index: int) -> None:
    """Refuse what would be misread.

    Raises:
        RasterError: complex numbers, a class raster in a band that is none, a pole or the antimeridian in the raster.
    """
    if "complex" in dataset.dtypes[index - 1]:
        raise RasterError(
            f"The raster {file.path} holds complex numbers ({dataset.dtypes[index - 1]}) where one number per pixel is "
            "expected. Take amplitude or phase: gdal_translate DERIVED_SUBDATASET:AMPLITUDE:in.tif out.tif"
        )
    if not file.band.classes and file.band.resampling not in ("mode", "nearest") and _is_classes(dataset, index):
        raise RasterError(
            f"The raster {file.path} is a class raster (it has a colour table or names of categories), and means of "
            f"its codes say nothing. In the band {file.band.name} of soc.toml give `classes = [1, 2, 5]` (a band for "
            'each), or `resampling = "mode"` to take the codes as numbers on purpose.'
        )
    _require_no_pole(dataset, file.path)


def _steps(dataset: DatasetReader, file: RasterFile, usable: list[int]) -> list[Layer]:
    band, called = file.band, file.band.layers or tuple(dataset.descriptions[n - 1] or "" for n in usable)
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


def _called(dataset: DatasetReader, usable: list[int]) -> str:
    return ", ".join(repr(dataset.descriptions[n - 1] or "") for n in usable)


def _is_classes(dataset: DatasetReader, index: int) -> bool:
    if np.dtype(dataset.dtypes[index - 1]).kind not in "iu":
        return False
    if dataset.colorinterp[index - 1] == ColorInterp.palette:
        return True
    with tempfile.TemporaryDirectory() as folder:  # rasterio tells names of categories only through a copy as VRT
        copy = Path(folder) / "copy.vrt"
        rasterio.shutil.copy(dataset, copy, driver="VRT")
        described = copy.read_text(encoding="utf-8", errors="replace")
    return "<Category>" in described.partition(f'band="{index}"')[2].partition("</VRTRasterBand>")[0]


def _require_no_pole(dataset: DatasetReader, path: str) -> None:
    """Refuse a raster in which longitude wraps round: what is near on Earth is far apart in its degrees."""
    if trouble := _trouble(Grid(crs_of(dataset), dataset.transform, dataset.width, dataset.height)):
        raise RasterError(
            f"The raster {path} {trouble}, where longitudes wrap round. Cut it there into two files with {{tile}} in "
            "the pattern, or cut out your region: gdalwarp -te ..."
        )


@lru_cache(maxsize=1024)
def _trouble(grid: Grid) -> str | None:
    """What lies in a raster with these pixels: a pole or the antimeridian, or neither."""
    a = grid.transform
    corners = [a * (column, row) for column in (0, grid.width) for row in (0, grid.height)]
    if grid.crs.is_geographic:
        (left, bottom), (right, top) = np.min(corners, axis=0), np.max(corners, axis=0)
        pixel = max(map(abs, (a.a, a.b, a.d, a.e)))  # rasters of the whole Earth are rounded
        if left < -180 - pixel or right > 180 + pixel:
            return f"crosses the antimeridian (its longitudes run from {left:g} to {right:g})"
        if bottom < -90 - pixel or top > 90 + pixel:
            return f"reaches over a pole (its latitudes run from {bottom:g} to {top:g})"
        return None
    xs, ys = move(WGS84, grid.crs, np.zeros(2), np.array([90.0, -90.0]))
    for x, y in zip(xs[np.isfinite(xs)], ys[np.isfinite(xs)], strict=True):
        column, row = ~a * (float(x), float(y))
        if 0 < column < grid.width and 0 < row < grid.height:
            return "contains a pole"
    return "crosses the antimeridian" if _wraps(grid) else None


def _wraps(grid: Grid) -> bool:
    """Whether longitude jumps between neighbouring points of the raster."""
    columns, rows = np.meshgrid(*(np.linspace(0.5, size - 0.5, _ALONG) for size in (grid.width, grid.height)))
    a = grid.transform
    xs, ys = a.a * columns + a.b * rows + a.c, a.d * columns + a.e * rows + a.f
    longitude = move(grid.crs, WGS84, xs.ravel(), ys.ravel())[0].reshape(xs.shape)
    longitude[~np.isfinite(longitude)] = np.nan
    jumps = np.concatenate([np.abs(np.diff(longitude, axis=axis)).ravel() for axis in (0, 1)])
    return bool((jumps > 180).any())
