"""Tiles as the original project wrote them, whose pixels encode where they are."""

from pathlib import Path

import numpy as np
import rasterio

from soc_assets.legacy.import_tiles import Imported, import_tiles
from soc_assets.settings import Rasters

STEP = 0.01  # degrees


def encoded(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """A number from which both coordinates can be read; exact to 1e-7 of a degree."""
    return 1000 * np.round(longitude, 7) + np.round(latitude, 7)


def tile_name(number: int, west: float, north: float, height: int, width: int, decimal: str = ".") -> str:
    edges = (north, north - height * STEP, west, west + width * STEP)
    n, s, w, e = (str(round(edge, 10)).replace(".", decimal) for edge in edges)
    return f"ID{number}N{n}S{s}W{w}E{e}.npy"


def values_at(west: float, north: float, height: int, width: int) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return encoded(west + columns * STEP, north - rows * STEP)


def write_tile(
    folder: Path,
    number: int,
    west: float,
    north: float,
    height: int = 10,
    width: int = 10,
    values: np.ndarray | None = None,
    decimal: str = ".",
) -> Path:
    """A tile whose pixels encode their own centres, unless `values` are given."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / tile_name(number, west, north, height, width, decimal)
    np.save(path, values_at(west, north, height, width) if values is None else values)
    return path


def assert_every_pixel_is_in_its_place(path: Path, holes: int = 0) -> None:
    with rasterio.open(path) as dataset:
        values, transform = dataset.read(1), dataset.transform
        assert dataset.crs.to_epsg() == 4326
        assert np.isnan(dataset.nodata)
    columns, rows = np.meshgrid(np.arange(values.shape[1]) + 0.5, np.arange(values.shape[0]) + 0.5)
    x, y = transform * (columns, rows)
    valid = ~np.isnan(values)
    assert (~valid).sum() == holes
    np.testing.assert_allclose(values[valid], encoded(x, y)[valid], rtol=0, atol=2e-4)  # 1e-7 degrees of longitude


def imported(root: Path, rasters: Rasters | None = None, **options) -> Imported:
    return import_tiles(root / "tiles", rasters or Rasters(), root / "rasters", **options)


def reasons(outcome: Imported) -> dict[str, str]:
    return {item.path.name: item.reason for item in outcome.aside}
