import geopandas
import numpy as np
import pytest
import shapely

from soc_assets.errors import SamplingError
from soc_assets.geo.polygons import read_region, region_files


def write(path, geometry, crs, layer=None):
    geopandas.GeoDataFrame(geometry=[geometry], crs=crs).to_file(path, layer=layer)
    return path


def test_polygon_in_utm_counts_its_straight_edges_and_border(tmp_path):
    square = shapely.box(600_000, 5_300_000, 700_000, 5_400_000)
    region = read_region(write(tmp_path / "r.gpkg", square, "EPSG:25832"))
    x = np.array([600_000, 650_000, 650_000, 650_000, 650_000, 700_000])
    y = np.array([5_300_000, 5_400_000, 5_400_000.5, 5_399_999.5, 5_350_000, 5_350_000])
    places = geopandas.GeoSeries(shapely.points(x, y), crs="EPSG:25832").to_crs("EPSG:4326")
    assert region.contains(places.x, places.y).tolist() == [True, True, False, True, True, True]
    corners = geopandas.GeoSeries([square], crs="EPSG:25832").to_crs("EPSG:4326").iloc[0]
    assert not corners.covers(places.iloc[3])  # the corners joined by straight lines in degrees lose this point


def test_layer_is_named_or_the_only_one(tmp_path):
    path = tmp_path / "r.gpkg"
    write(path, shapely.box(11, 48, 12, 49), "EPSG:4326", layer="north")
    assert read_region(path).contains([11.5], [48.5]).tolist() == [True]
    write(path, shapely.box(11, 47, 12, 48), "EPSG:4326", layer="south")
    with pytest.raises(SamplingError, match=r"several layers.*north, south.*r\.gpkg\|layer=north"):
        read_region(path)
    south = path.with_name("r.gpkg|layer=south")
    assert read_region(south).contains([11.5, 11.5], [47.5, 48.5]).tolist() == [True, False]
    with pytest.raises(SamplingError, match="layer 'east' is not in it"):
        read_region(path.with_name("r.gpkg|layer=east"))
    assert region_files(south) == [path]


def test_shapefile_is_read_with_its_crs_and_all_its_files_count(tmp_path):
    path = write(tmp_path / "r.shp", shapely.box(4_400_000, 2_700_000, 4_500_000, 2_900_000), "EPSG:3035")
    assert read_region(path).contains([11.57, 0.0], [48.1, 48.1]).tolist() == [True, False]
    assert {item.suffix for item in region_files(path)} == {".shp", ".dbf", ".shx", ".prj", ".cpg"}


def test_several_polygons_are_one_region_with_their_holes(tmp_path):
    ring = shapely.difference(shapely.box(11, 48, 12, 49), shapely.box(11.4, 48.4, 11.6, 48.6))
    both = shapely.geometrycollections(
        [shapely.multipolygons([ring, shapely.box(13, 48, 14, 49)]), shapely.Point(0, 0)]
    )
    region = read_region(write(tmp_path / "r.geojson", both, "EPSG:4326"))
    inside = region.contains([11.1, 11.5, 13.5, 12.5, 0], [48.5, 48.5, 48.5, 48.5, 0])
    assert inside.tolist() == [True, False, True, False, False]
