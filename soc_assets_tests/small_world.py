"""A small world for tests: GeoTIFFs on disk with known values, a catalog of them, and samples at known pixels."""

from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from rasterio.transform import Affine, from_origin

from soc_assets.geo.grid import WGS84, Grid
from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.project import Project
from soc_assets.settings import Band, Embedding, Rasters, Study
from soc_assets.settings.loading import Settings

UTM = "EPSG:25832"
ORIGIN = (600_000.0, 5_400_000.0)
PIXEL = 250.0


def write_raster(
    path: Path, values: np.ndarray, transform: Affine, crs: str = UTM, nodata: float | None = None
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {
        "driver": "GTiff",
        "count": 1,
        "dtype": values.dtype,
        "crs": crs,
        "transform": transform,
        "nodata": nodata,
    }
    with rasterio.open(path, "w", height=values.shape[0], width=values.shape[1], **options) as dataset:
        dataset.write(values, 1)
    return path


def reference_transform() -> Affine:
    return from_origin(*ORIGIN, PIXEL, PIXEL)


def reference_grid(size: int = 64) -> Grid:
    return Grid(rasterio.CRS.from_string(UTM), reference_transform(), size, size)


def coordinates_of_pixels(rows, columns, grid: Grid) -> tuple[list[float], list[float]]:
    """Longitude and latitude of pixel centres."""
    x, y = grid.transform * (np.asarray(columns, float) + 0.5, np.asarray(rows, float) + 0.5)
    longitude, latitude = rasterio.warp.transform(grid.crs, WGS84, x.tolist(), y.tolist())[:2]
    return longitude, latitude


def samples_at(rows, columns, years, grid: Grid) -> pd.DataFrame:
    longitude, latitude = coordinates_of_pixels(rows, columns, grid)
    n = len(longitude)
    return pd.DataFrame(
        {
            "sample_id": [f"s{i:03d}" for i in range(n)],
            "longitude": longitude,
            "latitude": latitude,
            "organic_carbon": np.linspace(5, 50, n),
            "year": pd.array(years, "Int32"),
            "season": "summer",
            "season_year": pd.array(years, "Int32"),
            "source": "test",
            "location_id": [f"l{i:03d}" for i in range(n)],
            "batch": "batch_0001",
        }
    )


def write_world(folder: Path, size: int = 64, years=range(2018, 2022), seed: int = 0) -> Settings:
    """Elevation on the reference grid and LAI at 500 m, one raster per year; time_before is 3."""
    stream = np.random.default_rng(seed)
    elevation = stream.normal(500, 100, (size, size)).astype(np.float32)
    write_raster(folder / "static/Elevation.tif", elevation, reference_transform(), nodata=-9999)
    for year in years:
        values = stream.normal(15, 4, (size // 2, size // 2)).astype(np.float32)
        write_raster(
            folder / f"yearly/LAI/LAI_{year}.tif", values, from_origin(*ORIGIN, 2 * PIXEL, 2 * PIXEL), nodata=-1
        )
    return settings_of_world()


def settings_of_world() -> Settings:
    return Settings(
        study=Study(time_before=3),
        rasters=Rasters(bands=(Band(name="Elevation", kind="static"), Band(name="LAI")), min_valid_fraction=0.5),
        embedding=Embedding(image_size=16),
    )


def catalog_of(settings: Settings, folder: Path) -> pd.DataFrame:
    return scan_rasters(settings.rasters, folder).frame


def project_of(settings: Settings, root: Path) -> Project:
    return Project(root=root, settings=settings)
