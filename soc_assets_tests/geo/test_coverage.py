"""Shares of pixels that polygons cover, against shapely's intersection of each pixel with the polygon."""

import numpy as np
import pytest
import shapely
from rasterio.transform import Affine, from_origin

from soc_assets.geo.coverage import Pieces
from soc_assets.geo.polygons import polygons_of

TRANSFORM = from_origin(1000, 2000, 10, 5)
SIZE = (30, 40)


def by_definition(polygons: np.ndarray, transform: Affine, height: int, width: int) -> np.ndarray:
    """The area of every pixel's intersection with the polygons, over the pixel's own."""
    rows, columns = np.mgrid[:height, :width].reshape(2, -1)
    corners = [transform * (columns + right, rows + down) for right, down in ((0, 0), (1, 0), (1, 1), (0, 1))]
    boxes = shapely.polygons(np.stack([np.column_stack(corner) for corner in corners], axis=1))
    whole = shapely.union_all(polygons)
    return (shapely.area(shapely.intersection(boxes, whole)) / shapely.area(boxes)).reshape(height, width)


def star(seed: int, x: float, y: float, radius: float) -> shapely.Geometry:
    stream = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    away = radius * stream.uniform(0.3, 1, 60)
    return shapely.Polygon(np.column_stack([x + away * np.cos(angle), y + away * np.sin(angle)]))


RING = star(1, 1200, 1925, 70).difference(star(2, 1200, 1925, 25))
CASES = {
    "star": star(0, 1180, 1930, 90),
    "with a hole": RING,
    "two, one in the hole of the other": RING.union(shapely.Point(1200, 1925).buffer(4)),
    "a pixel": shapely.box(1100, 1950, 1110, 1955),
    "a part of a pixel": shapely.box(1101, 1951, 1104, 1952),
    "on lines of the grid": shapely.box(1050, 1900, 1200, 1980),
    "beyond all edges": shapely.box(0, 0, 9000, 9000),
    "over the western edge": star(3, 1000, 1930, 60),
    "over the north-eastern corner": star(4, 1400, 2000, 80),
    "a sliver": shapely.Polygon([(1000, 1999), (1400, 1851), (1400, 1851.01)]),
    "beside the grid": shapely.box(0, 1900, 900, 1950),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("transform", [TRANSFORM, TRANSFORM * Affine.rotation(20)], ids=["plain", "rotated"])
def test_share_of_each_pixel(name, transform):
    polygons = polygons_of(CASES[name])
    pieces = Pieces.of(polygons, transform, *SIZE)
    wanted = by_definition(polygons, transform, *SIZE)
    np.testing.assert_allclose(pieces.coverage(0, 0, *SIZE), wanted, atol=2e-9)
    if pieces.window is None:
        assert not wanted.any()
    else:
        top, left, bottom, right = pieces.window
        part = pieces.coverage(top, left, bottom - top, right - left)
        np.testing.assert_allclose(part, wanted[top:bottom, left:right], atol=2e-9)
        assert wanted.sum() == pytest.approx(wanted[top:bottom, left:right].sum())


@pytest.mark.parametrize("direction", [shapely.normalize, shapely.reverse])
def test_direction_of_rings_does_not_matter(direction):
    polygons = polygons_of(direction(RING))
    found = Pieces.of(polygons, TRANSFORM, *SIZE).coverage(0, 0, *SIZE)
    np.testing.assert_allclose(found, by_definition(polygons, TRANSFORM, *SIZE), atol=2e-9)


def test_any_window_has_the_shares_of_the_whole():
    pieces = Pieces.of(polygons_of(CASES["star"]), TRANSFORM, *SIZE)
    whole = pieces.coverage(0, 0, *SIZE)
    for top, left, height, width in ((3, 7, 9, 11), (0, 39, 30, 1), (29, 0, 1, 40)):
        part = pieces.coverage(top, left, height, width)
        np.testing.assert_allclose(part, whole[top : top + height, left : left + width], atol=1e-12)


def test_neighbours_share_every_pixel_between_them():
    """No area is counted twice or lost along a common border."""
    shares = np.zeros(SIZE)
    cells = shapely.voronoi_polygons(
        shapely.MultiPoint(np.random.default_rng(5).uniform((900, 1700), (1500, 2100), (40, 2)))
    )
    inside = shapely.intersection(shapely.get_parts(cells), shapely.box(1000, 1850, 1400, 2000))
    for polygon in inside:
        shares += Pieces.of(polygons_of(polygon), TRANSFORM, *SIZE).coverage(0, 0, *SIZE)
    np.testing.assert_allclose(shares, 1, atol=1e-8)
