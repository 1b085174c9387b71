"""Resampling from one grid to another: GDAL's, and for the common case the same sums without its cost.

Bilinear resampling onto a grid that is as fine or finer takes four weighted pixels for each; GDAL recomputes
coordinates and masks for every raster. Rasters of a band share their grid, so here coordinates are computed once and
torch does the sums. Everything else (nearest, average, mode, a coarser grid) is GDAL's. Reading pixels is in `tiles`.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT

from soc_assets.geo.grid import Grid, move

TOLERANCE = 0.001  # pixels by which coordinates may be approximated between two CRS; GDAL's own is 0.125
_COARSER = 1.05  # source pixels per pixel above which bilinear means an average: GDAL widens its kernel
_LATTICE = 32  # pixels between coordinates that are computed; the others lie between them, within the tolerance
_PLACES = 48  # coordinates kept: 1.5 MB each for 400 x 400 pixels


def resample(values: np.ndarray, origin: Grid, onto: Grid, how: Resampling) -> np.ndarray:
    """Values [h, w] float32, NaN where there is none, brought onto another grid: [onto.height, onto.width] float32.

    A pixel has a value where the source pixel under its centre has one; neighbours without one do not count.
    """
    places = _places(origin, onto) if how is Resampling.bilinear else None
    return _by_gdal(values, origin, onto, how) if places is None else _bilinear(values, places)


@dataclass(frozen=True)
class _Places:
    """For each pixel of a grid: its position in the source.

    Attributes:
        points: [1, h, w, 2] float32, x and y as torch's `grid_sample` counts, from -1 to 1 across the source.
        under: [h, w] index (row-major) of the source pixel under the centre; the number of pixels where there is none.
    """

    points: np.ndarray
    under: np.ndarray


def _bilinear(values: np.ndarray, places: _Places) -> np.ndarray:
    import torch

    channels = np.zeros((2, *values.shape), np.float32)
    gaps = np.ones(values.size + 1, bool)  # the last for what lies outside
    np.isnan(values, out=gaps[:-1].reshape(values.shape))
    valid = ~gaps[:-1].reshape(values.shape)
    np.copyto(channels[0], values, where=valid)
    channels[1] = valid
    with torch.inference_mode(), np.errstate(invalid="ignore", divide="ignore"):
        total, weight = torch.nn.functional.grid_sample(
            torch.from_numpy(channels)[None], torch.from_numpy(places.points), padding_mode="zeros", align_corners=False
        )[0].numpy()
        total /= weight
    np.copyto(total, np.nan, where=gaps.take(places.under))
    return total


@lru_cache(maxsize=_PLACES)
def _places(source: Grid, grid: Grid) -> _Places | None:
    """None where the source is finer than the grid, or part of the grid has no coordinates in its CRS."""
    found = _coordinates(source, grid)
    if found is None:
        return None
    x, y = found
    for along in (x, y):
        down, across = (np.abs(np.diff(along, axis=axis)).max(initial=0) for axis in (0, 1))
        if np.hypot(down, across) > _COARSER:
            return None
    size = np.array([source.width, source.height])
    points = np.stack([2 * x / size[0] - 1, 2 * y / size[1] - 1], axis=-1)[None].astype(np.float32)
    inside = (x >= 0) & (x < size[0]) & (y >= 0) & (y < size[1])
    under = np.where(inside, np.floor(y) * size[0] + np.floor(x), size.prod()).astype(np.int64)
    return _Places(points, under)


def _coordinates(source: Grid, grid: Grid) -> tuple[np.ndarray, np.ndarray] | None:
    """Columns and rows [h, w], not rounded, in the source of the grid's pixel centres, within the tolerance.

    None where part of the grid has no place in the source's CRS. The error is checked at the midpoints of the lattice's
    cells and of their edges: where the two axes are curved against each other, as between conformal projections, it
    vanishes in the middle of a cell and is greatest on the edges.
    """
    step = 1 if source.crs == grid.crs else _LATTICE
    lines = _lattice(grid.height, step), _lattice(grid.width, step)
    exact = _transformed(source, grid, *lines)
    while np.isfinite(exact).all():
        if step == 1:
            return exact[0][: grid.height, : grid.width], exact[1][: grid.height, : grid.width]
        fine = _halved(lines[0]), _halved(lines[1])
        finer = _transformed(source, grid, *fine)
        between = [_between(values, *lines, *fine) for values in exact]
        error = max(np.abs(one - other).max() for one, other in zip(finer, between, strict=True))
        if error <= TOLERANCE:
            full = np.arange(grid.height, dtype=float), np.arange(grid.width, dtype=float)
            return _between(exact[0], *lines, *full), _between(exact[1], *lines, *full)
        step, lines, exact = step // 2, fine, finer
    return None


def _lattice(size: int, step: int) -> np.ndarray:
    """Every `step`th of `size` pixels, and one at or beyond the last."""
    return np.arange(0, (size - 1) + step, step, dtype=float)


def _halved(line: np.ndarray) -> np.ndarray:
    """A lattice with a point halfway between any two of its own."""
    return np.linspace(line[0], line[-1], 2 * len(line) - 1)


def _transformed(source: Grid, grid: Grid, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows in the source of the centres of pixels (rows [m], columns [n]) of the grid, both [m, n]."""
    c, r = np.meshgrid(columns + 0.5, rows + 0.5)
    place = grid.transform
    x, y = place.a * c + place.b * r + place.c, place.d * c + place.e * r + place.f
    if source.crs != grid.crs:
        x, y = (values.reshape(c.shape) for values in move(grid.crs, source.crs, x.ravel(), y.ravel()))
    inverse = ~source.transform
    with np.errstate(invalid="ignore"):  # infinite where undefined in the CRS
        return inverse.a * x + inverse.b * y + inverse.c, inverse.d * x + inverse.e * y + inverse.f


def _between(values: np.ndarray, rows: np.ndarray, columns: np.ndarray, r: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Values [m, n] at a lattice of rows and columns, bilinear at the rows r [h] and columns c [w]: [h, w]."""
    return _weights(rows, r) @ values @ _weights(columns, c).T


def _weights(lattice: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Weights [n, m] of the lattice's points [m] at places [n] between them."""
    if len(lattice) == 1:
        return np.ones((len(places), 1))
    position = places / (lattice[1] - lattice[0])
    first = np.minimum(position.astype(np.int64), len(lattice) - 2)
    weights = np.zeros((len(places), len(lattice)))
    line = np.arange(len(places))
    weights[line, first] = 1 - (position - first)
    weights[line, first + 1] = position - first
    return weights


def _by_gdal(values: np.ndarray, origin: Grid, onto: Grid, how: Resampling) -> np.ndarray:
    shape = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": "float32"}
    target = {"crs": onto.crs, "transform": onto.transform, "height": onto.height, "width": onto.width}
    nodata = {"src_nodata": np.nan, "nodata": np.nan}
    kernel = _kernel(origin, onto) if how is Resampling.bilinear else {}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", crs=origin.crs, transform=origin.transform, nodata=np.nan, **shape) as copy:
            copy.write(values, 1)
        with (
            memory.open() as copy,
            WarpedVRT(copy, resampling=how, tolerance=TOLERANCE, **nodata, **target, **kernel) as grid,
        ):
            return grid.read(1)


def _kernel(origin: Grid, onto: Grid) -> dict[str, float]:
    """How wide GDAL's kernel is: pixels per source pixel along both axes of the source, at the middle of the grid.

    GDAL would divide the sizes of what it happens to read and write, so a value would depend on the part requested.
    """
    middle = [np.array([size / 2 - 1, size / 2]) for size in (onto.height, onto.width)]
    steps = [np.hypot(np.diff(at[:, 0])[0], np.diff(at[0])[0]) for at in _transformed(origin, onto, *middle)]
    if not np.isfinite(steps).all():
        return {}
    return {name: float(1 / max(step, 1.0)) for name, step in zip(("XSCALE", "YSCALE"), steps, strict=True)}
