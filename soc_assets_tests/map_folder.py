"""Maps on disk as the engine leaves them, of a surface that is known: small Cloud Optimized GeoTIFFs and map.json."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.io import MemoryFile

from soc_assets.geo.grid import Grid
from soc_assets_tests.small_world import reference_grid

DIGEST = "a1b2c3d4e5f60718"
NODATA = -9999.0
Surface = Callable[[np.ndarray, np.ndarray], np.ndarray]


def plane(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Organic carbon, g/kg: 10 in the north-west, more towards the south-east."""
    return 10 + rows / 4 + columns / 8


def write_map(
    data: Path,
    period: str = "2023",
    surface: Surface = plane,
    grid: Grid | None = None,
    quality: np.ndarray | None = None,
    digest: str = DIGEST,
    **said: object,
) -> Path:
    """A map of a period, intervals from half to double the value.

    Args:
        data: the project's data folder.
        period: 2023 or 2023_summer.
        surface: g/kg at rows and columns of the grid.
        grid: pixels of the map; None takes the reference grid of the small world.
        quality: [h, w] classes; None is 0 everywhere but in the four eastern columns (1), at the northern edge (2).
        digest: of the model.
        said: more of map.json.
    """
    grid = grid or reference_grid()
    rows, columns = np.mgrid[: grid.height, : grid.width]
    if quality is None:
        quality = np.where(columns >= grid.width - 4, 1, 0)
        quality[:2] = 2
    values = surface(rows, columns)
    folder = data / "maps" / digest / period
    folder.mkdir(parents=True)
    beside = np.hypot(rows - grid.height / 2, columns - grid.width / 2) / grid.height
    for name, of in (("organic_carbon", values), ("lower", values / 2), ("upper", values * 2)):
        write_cog(folder / f"{name}.tif", np.where(quality <= 1, of, NODATA).astype(np.float32), grid, NODATA)
    write_cog(folder / "dissimilarity.tif", np.where(quality <= 1, beside, NODATA).astype(np.float32), grid, NODATA)
    write_cog(folder / "quality.tif", quality.astype(np.uint8), grid, 255)
    counts = {str(n): int((quality == n).sum()) for n in range(6)}
    facts = {"model": "soc_mlp", "version": "3", "recipe": "net", "weights": "random (seed 42)", "spec": "none"}
    facts |= {"period": period, "digest": digest, "counts": counts, "statistics": {}}
    (folder / "map.json").write_text(json.dumps({**facts, **said}))
    return folder


def write_cog(path: Path, values: np.ndarray, grid: Grid, nodata: float | None) -> None:
    """One band as a Cloud Optimized GeoTIFF by GDAL's own driver, with overviews."""
    place = {"crs": grid.crs, "transform": grid.transform, "width": grid.width, "height": grid.height}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", count=1, dtype=values.dtype, nodata=nodata, **place) as plain:
            plain.write(values, 1)
        resampling = "nearest" if values.dtype == np.uint8 else "average"
        with memory.open() as plain:
            options = {"blocksize": 128, "compress": "deflate", "overview_resampling": resampling}
            rasterio.shutil.copy(plain, path, driver="COG", **options)


def write_change(data: Path, before: str = "2015", after: str = "2023", digest: str = DIGEST) -> Path:
    """A change of which the west has lost carbon and the east won some: columns from the middle / 10, +- 1 g/kg.

    The four eastern columns are outside the area of applicability, and in the first row the uncertainty is unknown.
    """
    grid = reference_grid()
    rows, columns = np.mgrid[: grid.height, : grid.width]
    change = ((columns - grid.width // 2) / 10).astype(np.float32)
    ends = [np.where(rows == 0, NODATA, change + by).astype(np.float32) for by in (-1, 1)]
    beyond = np.where(rows == 0, 3, np.where(change < -1, 1, np.where(change > 1, 2, 0))).astype(np.uint8)
    quality = np.where(columns >= grid.width - 4, 1, 0).astype(np.uint8)
    folder = data / "maps" / digest / f"change_{before}_{after}"
    folder.mkdir(parents=True)
    for name, values in (("change", change), ("change_lower", ends[0]), ("change_upper", ends[1])):
        write_cog(folder / f"{name}.tif", values, grid, NODATA)
    for name, values in (("beyond_uncertainty", beyond), ("quality", quality)):
        write_cog(folder / f"{name}.tif", values, grid, 255)
    counts = {str(n): int((quality == n).sum()) for n in range(6)}
    facts = {"model": "soc_mlp", "version": "3", "before": before, "after": after, "counts": counts, "statistics": {}}
    facts |= {"beyond_uncertainty": {str(n): int((beyond == n).sum()) for n in range(4)}, "members": 5}
    (folder / "change.json").write_text(json.dumps(facts))
    return folder
