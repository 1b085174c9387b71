"""Areas on the ground in any CRS."""

import numpy as np
import pyproj
import pytest
import shapely
from rasterio import CRS
from rasterio.transform import from_origin

from soc_assets.geo.areas import cell_areas, polygon_area
from soc_assets.geo.grid import Grid

GEOD = pyproj.Geod(ellps="WGS84")


@pytest.mark.parametrize(
    ("crs", "transform", "size"),
    [
        ("EPSG:25832", from_origin(600_000, 5_400_000, 250, 250), (300, 200)),
        ("EPSG:4326", from_origin(9, 51, 1 / 120, 1 / 120), (400, 500)),
        ("EPSG:3857", from_origin(1_000_000, 6_500_000, 500, 500), (200, 300)),
        ("EPSG:4326", from_origin(-180, 84, 0.5, 0.5), (336, 720)),
    ],
)
def test_area_of_a_pixel_is_that_of_its_corners_on_the_ellipsoid(crs, transform, size):
    grid = Grid(CRS.from_string(crs), transform, size[1], size[0])
    found = cell_areas(grid).window(0, 0, *size)
    change = pyproj.Transformer.from_crs(crs, 4326, always_xy=True)
    stream = np.random.default_rng(0)
    for row, column in zip(stream.integers(0, size[0], 40), stream.integers(0, size[1], 40), strict=True):
        x, y = transform * (column + np.array([0, 1, 1, 0]), row + np.array([0, 0, 1, 1]))
        wanted = abs(GEOD.polygon_area_perimeter(*change.transform(x, y))[0]) / 1e6
        assert found[row, column] == pytest.approx(wanted, rel=1e-5)


def test_a_part_of_the_areas_is_that_of_the_whole():
    grid = Grid(CRS.from_epsg(3857), from_origin(1_000_000, 6_500_000, 500, 500), 90, 70)
    areas = cell_areas(grid)
    np.testing.assert_allclose(areas.window(10, 20, 5, 6), areas.window(0, 0, 70, 90)[10:15, 20:26], rtol=1e-12)


def test_polygon_has_its_area_without_its_holes():
    outer, hole = shapely.box(10, 48, 11, 49), shapely.box(10.4, 48.4, 10.5, 48.5)
    whole = polygon_area(np.array([outer]), pyproj.CRS.from_epsg(4326))
    assert whole == pytest.approx(111.2 * 73.9, rel=1e-3)  # km in the middle
    pierced = polygon_area(np.array([outer.difference(hole)]), pyproj.CRS.from_epsg(4326))
    assert whole - pierced == pytest.approx(polygon_area(np.array([hole]), pyproj.CRS.from_epsg(4326)), rel=1e-9)
