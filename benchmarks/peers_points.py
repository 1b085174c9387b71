"""Runs in the peers' environment: values of every band and lag at the samples, by rasterio and by exactextract.

    python -m benchmarks.peers_points FOLDER rasterio|exactextract

rasterio samples the pixel under each point (`DatasetReader.sample`); exactextract takes the mean of the 25 x 25 pixels
of the reference grid around it, as a polygon in the raster's coordinates (`exact_extract(raster, polygons, "mean")`).
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.peers_measure import Job, answer

HALF = 12  # pixels on each side of a sample's own


def main() -> None:
    folder, way = Path(sys.argv[1]), sys.argv[2]
    job, ways = Job.load(folder), {"rasterio": sampled, "exactextract": extracted}
    if way == "exactextract":
        for package in ("exactextract", "geopandas"):
            importlib.import_module(package)
    import rasterio.warp  # noqa: F401

    answer(folder, way, lambda: {"values": extract(job, ways[way])})


def extract(job: Job, one: Callable[[Job, int, np.ndarray], np.ndarray]) -> np.ndarray:
    """Values [n, slots] in standard deviations; NaN where there is none. Each raster is asked once for its samples."""
    found = np.full(job.raster.shape, np.nan, np.float32)
    for number, raster in enumerate(job.rasters):
        readers, of_reader = np.unique(np.nonzero(job.raster == number)[0], return_inverse=True)
        if len(readers):
            mean, std = job.statistics[raster["band"]]
            found[job.raster == number] = ((one(job, number, readers) - mean) / std)[of_reader]
    return found


def sampled(job: Job, number: int, samples: np.ndarray) -> np.ndarray:
    """The pixels under samples [m]."""
    import rasterio
    from rasterio.warp import transform

    with rasterio.open(job.rasters[number]["path"]) as dataset:
        x, y, *_ = transform("EPSG:4326", dataset.crs, job.longitude[samples], job.latitude[samples])
        values = np.ma.concatenate(list(dataset.sample(zip(x, y, strict=True), masked=True)))
    return np.ma.filled(values.astype(float), np.nan)


def extracted(job: Job, number: int, samples: np.ndarray) -> np.ndarray:
    """Means of the squares around samples [m]."""
    import geopandas
    import rasterio
    import shapely

    width, _, left, _, height, top = job.transform
    column, row = (corner[samples] + job.size // 2 for corner in (job.columns, job.rows))
    x, y = (left + width * (column - HALF), top + height * (row - HALF))
    size = 2 * HALF + 1
    squares = geopandas.GeoSeries(shapely.box(x, y + size * height, x + size * width, y), crs=job.crs)
    with rasterio.open(job.rasters[number]["path"]) as dataset:
        frame = geopandas.GeoDataFrame(geometry=squares.to_crs(dataset.crs))
    exact_extract = importlib.import_module("exactextract").exact_extract
    found = exact_extract(job.rasters[number]["path"], frame, ["mean"], output="pandas")
    return found["mean"].to_numpy(float)


if __name__ == "__main__":
    main()
