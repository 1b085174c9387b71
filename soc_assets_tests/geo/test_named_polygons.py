import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely

from soc_assets.errors import SamplingError
from soc_assets.geo.named_polygons import quarters, regions_of

PLACES = {"Munich": (11.5755, 48.1372), "Augsburg": (10.8986, 48.3668), "Nuremberg": (11.0775, 49.4539)}
UTM, GAUSS_KRUEGER = "EPSG:25832", "EPSG:31468"


@pytest.fixture
def cities() -> pd.DataFrame:
    longitude, latitude = zip(*PLACES.values(), strict=True)
    points = geopandas.GeoSeries(geopandas.points_from_xy(longitude, latitude), crs="EPSG:4326").to_crs(UTM)
    return pd.DataFrame({"longitude": longitude, "latitude": latitude, "x": points.x, "y": points.y})


def square(place: str, crs: str, reach: float = 5_000) -> shapely.Geometry:
    [point] = geopandas.GeoSeries([shapely.Point(PLACES[place])], crs="EPSG:4326").to_crs(crs)
    return shapely.box(point.x - reach, point.y - reach, point.x + reach, point.y + reach)


def write(path, names, shapes, crs, column="name"):
    geopandas.GeoDataFrame({column: names, "area": 1.0}, geometry=shapes, crs=crs).to_file(path)
    return path


@pytest.mark.parametrize("crs", [UTM, GAUSS_KRUEGER])
def test_samples_are_in_the_polygon_round_them_whatever_its_crs(cities, crs, tmp_path):
    shapes = [square("Nuremberg", crs), square("Munich", crs)]
    path = write(tmp_path / "r.gpkg", ["Franconia", "Upper Bavaria"], shapes, crs, "Bezirk")
    found = regions_of(cities, path, "Bezirk")
    assert found.names.tolist() == ["Upper Bavaria", None, "Franconia"]
    assert "2 of r.gpkg" in found.words and "1 of 3 samples lie in none" in found.words


def test_first_of_overlapping_polygons_counts_and_one_name_is_one_region(cities, tmp_path):
    wide = square("Munich", UTM, 200_000)
    shapes = [square("Munich", UTM), square("Augsburg", UTM), wide]
    path = write(tmp_path / "r.gpkg", ["town", "town", "land"], shapes, UTM)
    found = regions_of(cities, path, "name")
    assert found.names.tolist() == ["town", "town", "land"]
    assert "2 of r.gpkg" in found.words
    backwards = write(tmp_path / "b.gpkg", ["land", "town", "town"], shapes[::-1], UTM)
    assert regions_of(cities, backwards, "name").names.tolist() == ["land", "land", "land"]


def test_border_counts_holes_do_not_and_what_is_no_polygon_is_left_out(tmp_path):
    ring = shapely.difference(shapely.box(11, 48, 12, 49), shapely.box(11.4, 48.4, 11.6, 48.6))
    both = shapely.geometrycollections([ring, shapely.Point(5, 5)])
    path = write(tmp_path / "r.geojson", [7, 8, 9], [shapely.Point(11.5, 48.5), both, None], "EPSG:4326")
    places = pd.DataFrame({"longitude": [11.0, 11.5, 11.3, 5.0, np.nan], "latitude": [48.5, 48.5, 48.5, 5.0, 48.5]})
    assert regions_of(places, path, "name").names.tolist() == ["8", None, "8", None, None]


def test_without_a_file_the_medians_part_the_samples_into_quarters():
    x = np.array([0.0, 10.0, 0.0, 10.0, 5.0])
    y = np.array([0.0, 0.0, 10.0, 10.0, 5.0])
    expected = ["south-west", "south-east", "north-west", "north-east", "north-east"]
    assert quarters(x, y).tolist() == expected
    found = regions_of(pd.DataFrame({"x": x, "y": y}), None, "name")
    assert found.names.tolist() == expected
    assert "medians" in found.words


def test_one_far_sample_does_not_empty_the_quarters():
    x, y = np.append(np.arange(99.0), 1e9), np.append(np.tile(np.arange(9.0), 11), 1e9)
    assert min(np.unique(quarters(x, y), return_counts=True)[1]) > 15


def test_column_that_is_not_there_is_told_with_those_that_are(cities, tmp_path):
    path = write(tmp_path / "r.gpkg", ["a"], [square("Munich", UTM)], UTM, "Bezirk")
    with pytest.raises(SamplingError, match=r"r\.gpkg has no column 'name'; it has Bezirk, area\..*region_column"):
        regions_of(cities, path, "name")


def test_what_cannot_be_used_is_told_with_its_cure(cities, tmp_path):
    with pytest.raises(SamplingError, match=r"none\.gpkg does not exist; correct evaluation\.regions or remove it"):
        regions_of(cities, tmp_path / "none.gpkg", "name")
    points = write(tmp_path / "points.gpkg", ["a"], [shapely.Point(PLACES["Munich"])], "EPSG:4326")
    with pytest.raises(SamplingError, match=r"points\.gpkg holds no polygon; evaluation\.regions needs"):
        regions_of(cities, points, "name")
    lost = write(tmp_path / "lost.shp", ["a"], [square("Munich", UTM)], None)
    with pytest.raises(SamplingError, match=r"lost\.shp states no CRS.*Assign Projection"):
        regions_of(cities, lost, "name")
    nameless = write(tmp_path / "n.gpkg", ["a", None], [square("Munich", UTM), square("Augsburg", UTM)], UTM)
    with pytest.raises(
        SamplingError, match=r"1 polygon\(s\) without a name in the column 'name', the first is number 2"
    ):
        regions_of(cities, nameless, "name")
    metres = write(tmp_path / "m.geojson", ["a"], [square("Munich", UTM)], None)
    with pytest.raises(SamplingError, match="these are no WGS84 degrees"):
        regions_of(cities, metres, "name")
