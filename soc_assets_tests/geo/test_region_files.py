"""Region files whose bytes are not what their names say: no request leaves this machine, and the file is named."""

import json
import re
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing

import geopandas
import pytest
import shapely
from pyproj.exceptions import CRSError

from soc_assets.errors import SamplingError
from soc_assets.geo.polygons import read_region, region_files
from soc_assets.project import load_project
from soc_assets_tests.listening import listening

SQUARE = shapely.box(11, 48, 12, 49)
FEATURE = {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(SQUARE)}
VRT = "<OGRVRTDataSource><OGRVRTLayer name='x'><SrcDataSource>URL/x</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
BOMB = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with listening(tmp_path_factory.mktemp("server")) as listener:
        yield listener


def collection(**more):
    return json.dumps({"type": "FeatureCollection", "features": [FEATURE], **more})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.geojson", VRT),
        ("r.geojson", '{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read URL/x ! write a"}'),
        ("r.geojson", collection(crs={"type": "link", "properties": {"href": "URL/crs", "type": "proj4"}})),
        ("r.geojson", collection(CRS={"TYPE": "url", "properties": {"url": "URL/crs"}})),
        (
            "r.geojson",
            collection().replace(
                '"geometry": {', '"geometry": {"crs": {"type": "link", "properties": {"href": "URL/c"}}, '
            ),
        ),
        ("r.geojson", "[" * 100_000),
        ("r.geojson", "not JSON"),
        ("r.json", '{"type": "Catalog", "stac_version": "1.0.0", "links": [{"rel": "item", "href": "URL/i"}]}'),
        ("r.gml", "<OGRWFSDataSource><URL>URL</URL></OGRWFSDataSource>"),
        ("r.gml", BOMB + "<FeatureCollection>&b;</FeatureCollection>"),
        ("r.kml", BOMB + '<kml xmlns="http://www.opengis.net/kml/2.2">&b;</kml>'),
        ("r.kml", "<html/>"),
        ("r.vrt", "<OGRVRTDataSource/>"),
        ("r.gpkg", "SQLite format 3\0 and nothing more"),
        ("r.gpkg", "URL"),
        ("r.shp", "URL"),
        ("r.fgb", "URL"),
        ("r.csv", "WKT,name\n"),
    ],
)
def test_a_region_that_holds_something_else_is_refused_by_name(tmp_path, server, name, content):
    path = tmp_path / name
    path.write_text(content.replace("URL", server.url))
    with pytest.raises(SamplingError, match=rf"{name}.*study\.region"):
        read_region(path)
    assert server.requests == []


def gpkg(path):
    geopandas.GeoDataFrame({"n": [1]}, geometry=[SQUARE], crs="EPSG:4326").to_file(path, layer="own")
    return path


@pytest.mark.parametrize(
    "change",
    [
        "CREATE VIEW endless AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) "
        "SELECT c.n AS fid, geom FROM c, own",
        "CREATE TABLE endless (fid INTEGER PRIMARY KEY, geom BLOB, t TEXT GENERATED ALWAYS AS (hex(zeroblob(1e9))))",
    ],
)
def test_a_geopackage_that_computes_is_refused(tmp_path, change):
    path = gpkg(tmp_path / "r.gpkg")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(change)
        columns = "(table_name, data_type, identifier, srs_id)"
        database.execute(f"INSERT INTO gpkg_contents {columns} VALUES ('endless', 'features', 'e', 4326)")
    with pytest.raises(SamplingError, match=r"layer 'endless'.*Save it as a layer of its own"):
        read_region(path.with_name("r.gpkg|layer=endless"))


def test_a_trigger_that_nothing_fires_is_no_trouble(tmp_path):
    path = gpkg(tmp_path / "r.gpkg")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TRIGGER t AFTER INSERT ON own BEGIN DELETE FROM own; END")
    assert read_region(path).contains([11.5], [48.5]).all()


@pytest.mark.parametrize("name", ["r.geojson", "r.gpkg", "r.shp", "r.fgb", "r.kml", "r.gml"])
def test_what_QGIS_writes_is_read(tmp_path, name):
    driver = {"r.gml": "GML", "r.kml": "KML"}.get(name)
    geopandas.GeoDataFrame({"n": [1]}, geometry=[SQUARE], crs="EPSG:4326").to_file(tmp_path / name, driver=driver)
    assert read_region(tmp_path / name).contains([11.5, 13], [48.5, 48.5]).tolist() == [True, False]


@pytest.mark.parametrize("error", [MemoryError("no room"), RecursionError("deep"), CRSError("odd"), KeyError("gone")])
def test_whatever_a_library_raises_names_the_file(tmp_path, monkeypatch, error):
    def raising(*_, **__):
        raise error

    path = gpkg(tmp_path / "r.gpkg")
    monkeypatch.setattr("geopandas.read_file", raising)
    with pytest.raises(SamplingError, match=rf"r\.gpkg cannot be read: {type(error).__name__}.*study\.region"):
        read_region(path)


def test_a_driver_that_soc_toml_allows_opens_its_suffix_and_no_other(tmp_path):
    square = geopandas.GeoDataFrame(geometry=[shapely.box(11, 48, 12, 49)], crs="EPSG:4326")
    square.to_file(tmp_path / "region.tab", driver="MapInfo File")
    config = tmp_path / "soc.toml"
    config.write_text('[study]\nregion = "region.tab"\n')
    with pytest.raises(SamplingError, match=r'vector_drivers = { ".tab" = \["NAME"\] }'):
        read_region(load_project(config).region)
    config.write_text('[study]\nregion = "region.tab"\nvector_drivers = { ".tab" = ["MapInfo File"] }\n')
    project = load_project(config)
    assert read_region(project.region).contains([11.5, 10.5], [48.5, 48.5]).tolist() == [True, False]
    assert {path.suffix for path in region_files(project.region)} == {".tab", ".dat", ".map", ".id"}
    config.write_text('[study]\nregion = "region.tab"\nvector_drivers = { ".tab" = ["GPX"] }\n')
    with pytest.raises(SamplingError, match=r"driver 'MapInfo File', and .* allows GPX"):
        read_region(load_project(config).region)


@pytest.mark.parametrize(
    "asked", ["areas.zip", "areas.zip/in/region.gpkg", "/vsizip/{folder}/areas.zip/in/region.gpkg"]
)
def test_a_region_in_an_archive_says_how_to_unpack_it_and_that_works(tmp_path, asked):
    square = geopandas.GeoDataFrame(geometry=[shapely.box(11, 48, 12, 49)], crs="EPSG:4326")
    square.to_file(tmp_path / "region.gpkg")
    with zipfile.ZipFile(tmp_path / "areas.zip", "w") as archive:
        archive.write(tmp_path / "region.gpkg", "in/region.gpkg")
    with pytest.raises(SamplingError) as raised:
        read_region(tmp_path / asked.format(folder=tmp_path))
    found = re.search(r"python (-m zipfile -e \S+ \S+)\).*: (\S+) \(", str(raised.value))
    assert found
    command, name = found.groups()
    subprocess.run([sys.executable, *command.split()], cwd=tmp_path, check=True)
    assert read_region(tmp_path / "areas" / name).contains([11.5], [48.5]).all()
