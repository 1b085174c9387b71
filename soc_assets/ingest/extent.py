"""Which samples lie on which rasters, and where both lie on Earth, for warnings and messages.

Pixel arithmetic is in `geo.grid`; rejecting samples is in `ingest.soil.clean`.
"""

import pandas as pd

from soc_assets.geo.grid import WGS84, Grid


def rasters_without_samples(catalog: pd.DataFrame, samples: pd.DataFrame) -> list[str]:
    """Paths of the rasters on whose pixels no sample lies, in catalog order; of a tiled step only if none has one.

    Args:
        catalog: the raster catalog (band, year, season, path, crs, transform, height, width).
        samples: `longitude`, `latitude` in WGS84 degrees.
    """
    grids = [Grid.of_row(row) for row in catalog.to_dict("records")]
    points = samples[["longitude", "latitude"]].drop_duplicates().to_numpy(float)
    used = {grid: bool(grid.contains(*grid.pixels(points[:, 0], points[:, 1])).any()) for grid in set(grids)}
    steps = catalog[["band", "year", "season"]].astype("str").fillna("").agg("|".join, axis=1)
    of_step = pd.Series([used[grid] for grid in grids], catalog.index, dtype=bool).groupby(steps).transform("any")
    return catalog.loc[~of_step, "path"].drop_duplicates().to_list()


def describe_grid(grid: Grid) -> str:
    """The grid's bounds in longitude and latitude, for people; those of the Earth where part of it is in space."""
    west, south, east, north = grid.bounds_in(WGS84)
    return _describe(max(west, -180.0), max(south, -90.0), min(east, 180.0), min(north, 90.0))


def describe_points(points: pd.DataFrame) -> str:
    """The bounds of points (longitude, latitude in two columns [n, 2], WGS84 degrees), for people."""
    (west, south), (east, north) = points.min(), points.max()
    return _describe(west, south, east, north)


def _describe(west: float, south: float, east: float, north: float) -> str:
    return f"longitude {west:.4f} to {east:.4f}, latitude {south:.4f} to {north:.4f}"
