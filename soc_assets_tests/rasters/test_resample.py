"""Bilinear resampling by coordinates worked out once equals GDAL's, gaps included."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.testing import assert_allclose, assert_array_equal
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import Affine, from_origin
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform

from soc_assets.geo.grid import Grid
from soc_assets.rasters import resample as module
from soc_assets.rasters.resample import resample

UTM = CRS.from_epsg(25832)
ONTO = Grid(UTM, Affine(250, 0, 700_000, 0, -250, 5_400_000), width=170, height=150)


def source(crs: int, pixel: float, rotation: float = 0, south_up: bool = False, shape=(130, 140)) -> Grid:
    """A raster that begins some pixels north-west of the grid."""
    crs_ = CRS.from_epsg(crs)
    x, y = (float(values[0]) for values in transform(UTM, crs_, [700_000], [5_400_000])[:2])
    place = Affine.translation(x - 20.2 * pixel, y + 20.3 * pixel) * Affine.rotation(rotation)
    if south_up:
        place = Affine.translation(x - 20.2 * pixel, y - (shape[0] - 20.3) * pixel) * Affine.scale(1, -1)
    return Grid(crs_, place * Affine.scale(pixel, -pixel), width=shape[1], height=shape[0])


def values_with_gaps(shape, seed: int = 0) -> np.ndarray:
    """Smooth values, so that a thousandth of a pixel is a thousandth of a unit, with single and blocks of gaps."""
    rows, columns = np.indices(shape)
    values = (np.sin(rows / 3) + np.cos(columns / 4) + rows / 10).astype(np.float32)
    values[np.random.default_rng(seed).random(shape) < 0.03] = np.nan
    values[40:50, 40:60] = np.nan
    return values


def by_gdal(folder: Path, values: np.ndarray, origin: Grid, how: Resampling, **kernel: float) -> np.ndarray:
    """The same by a warped view of a file on disk."""
    shape = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": "float32"}
    place = {"crs": origin.crs, "transform": origin.transform, "nodata": np.nan}
    with rasterio.open(folder / "source.tif", "w", driver="GTiff", **shape, **place) as dataset:
        dataset.write(values, 1)
    onto = {"crs": ONTO.crs, "transform": ONTO.transform, "height": ONTO.height, "width": ONTO.width}
    with (
        rasterio.open(folder / "source.tif") as dataset,
        WarpedVRT(dataset, resampling=how, tolerance=module.TOLERANCE, **onto, **kernel) as view,
    ):
        return view.read(1)


@pytest.mark.parametrize(
    "origin",
    [
        source(25832, 500),
        source(25832, 250),
        source(3035, 500),
        source(4326, 1 / 120),
        source(4326, 1 / 240),
        source(25832, 400, rotation=20),
        source(3035, 500, south_up=True),
        source(3035, 5000, shape=(40, 41)),
    ],
    ids=["coarser", "shifted", "other CRS", "degrees", "fine degrees", "rotated", "south-up", "very coarse"],
)
def test_bilinear_equals_gdal_also_at_gaps_and_edges(tmp_path, origin):
    values = values_with_gaps((origin.height, origin.width))
    found = resample(values, origin, ONTO, Resampling.bilinear)
    expected = by_gdal(tmp_path, values, origin, Resampling.bilinear)
    assert module._places(origin, ONTO) is not None
    assert np.isfinite(found).mean() > 0.3
    differ = np.isnan(found) != np.isnan(expected)
    assert differ.sum() <= 3  # centres within the tolerance of a source pixel's edge
    both = np.isfinite(found) & np.isfinite(expected)
    assert_allclose(found[both], expected[both], atol=3 * module.TOLERANCE)


@pytest.mark.parametrize("how", [Resampling.nearest, Resampling.average, Resampling.mode, Resampling.bilinear])
def test_a_finer_raster_and_other_methods_are_left_to_gdal(tmp_path, how):
    origin = source(25832, 100, shape=(500, 520))
    values = values_with_gaps((500, 520))
    kernel = {"XSCALE": 0.4, "YSCALE": 0.4} if how is Resampling.bilinear else {}  # 100 m to 250 m
    assert_array_equal(resample(values, origin, ONTO, how), by_gdal(tmp_path, values, origin, how, **kernel))


def test_coordinates_between_two_crs_are_held_to_a_thousandth_of_a_pixel():
    origin = source(3035, 250, shape=(800, 800))
    wide = Grid(UTM, ONTO.transform, 607, 607)
    found = module._coordinates(origin, wide)
    exact = module._transformed(origin, wide, np.arange(607.0), np.arange(607.0))
    for one, other in zip(found, exact, strict=True):
        assert np.abs(one - other).max() <= module.TOLERANCE


@pytest.mark.parametrize(
    ("own", "other"),
    [
        (("EPSG:32632", 300e3, 5600e3, 1000), ("EPSG:3857", 6e5, 7.6e6, 1500)),
        (("EPSG:3034", 2.5e6, 4.0e6, 4000), ("EPSG:3857", -2e6, 1.1e7, 6000)),
        (("EPSG:32632", 300e3, 5600e3, 1000), ("EPSG:25833", -300e3, 5700e3, 1000)),
    ],
    ids=["UTM and Mercator", "Lambert and Mercator", "two zones"],
)
def test_conformal_projections_are_held_to_it_on_the_edges_of_cells_too(own, other):
    onto, origin = (
        Grid(CRS.from_string(crs), from_origin(x, y, pixel, pixel), 240, 240) for crs, x, y, pixel in (own, other)
    )
    found = module._coordinates(origin, onto)
    exact = module._transformed(origin, onto, np.arange(240.0), np.arange(240.0))
    assert np.abs(np.subtract(found, exact)).max() <= module.TOLERANCE


def test_a_constant_raster_stays_constant_beside_gaps():
    origin = source(3035, 500)
    values = np.where(np.isnan(values_with_gaps((130, 140))), np.nan, 7).astype(np.float32)
    found = resample(values, origin, ONTO, Resampling.bilinear)
    assert np.isfinite(found).mean() > 0.5
    assert_allclose(found[np.isfinite(found)], 7, rtol=1e-5)


def test_coarser_pixels_are_weighted_by_a_triangle_whatever_part_is_asked_for():
    stream, size, ratio = np.random.default_rng(0), 300, 2.5
    values = stream.random((size, size)).astype(np.float32)
    crs = CRS.from_epsg(32632)
    fine = Grid(crs, from_origin(6e5, 5.4e6, 100, 100), size, size)
    coarse = Grid(crs, from_origin(6e5, 5.4e6, 250, 250), 120, 120)
    centres, places = (np.arange(120) + 0.5) * ratio, np.arange(size) + 0.5
    weights = np.maximum(0, 1 - np.abs(places[None] - centres[:, None]) / ratio)
    weights /= weights.sum(axis=1, keepdims=True)
    expected = weights @ values @ weights.T
    for top, left, edge in ((0, 0, 120), (40, 40, 20), (37, 11, 33)):
        first = [max(0, int(start * ratio) - 10) for start in (top, left)]
        last = [min(size, int((start + edge) * ratio) + 10) for start in (top, left)]
        part = values[first[0] : last[0], first[1] : last[1]]
        origin = fine.part(first[0], first[1], *part.shape)
        found = resample(part, origin, coarse.part(top, left, edge, edge), Resampling.bilinear)
        np.testing.assert_allclose(found, expected[top : top + edge, left : left + edge], atol=1e-6)
