"""Figures by zone against brute force: every cell's intersection with the polygon, by shapely."""

import shutil

import duckdb
import geopandas
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely

from soc_assets.errors import InputError, StateError
from soc_assets.features.sql.tables import columns_of, table_sql, write_schema
from soc_assets.mapping import zones as module
from soc_assets.mapping.zones import QUANTILES, write_zonal_table, zonal_table
from soc_assets_tests.geo.test_coverage import by_definition
from soc_assets_tests.hostile import HTML, SQL
from soc_assets_tests.map_folder import DIGEST, plane, write_map
from soc_assets_tests.small_world import ORIGIN, PIXEL, UTM, reference_grid

WEST, NORTH = ORIGIN
EAST, SOUTH = WEST + 64 * PIXEL, NORTH - 64 * PIXEL
DISTRICTS = {
    "north": shapely.Polygon([(WEST + 333, NORTH - 100), (EAST - 777, NORTH - 1234), (WEST + 5000, NORTH - 7777)]),
    "with a lake": shapely.box(WEST + 3010, SOUTH + 3010, WEST + 8010, SOUTH + 7010).difference(
        shapely.Point(WEST + 5000, SOUTH + 5000).buffer(900)
    ),
    "east": shapely.box(EAST - 2100, SOUTH + 10, EAST + 4000, SOUTH + 9000),
    "elsewhere": shapely.box(EAST + 10_000, SOUTH, EAST + 20_000, NORTH),
    "smaller than a cell": shapely.box(WEST + 5010, SOUTH + 9010, WEST + 5060, SOUTH + 9040),
}


def write_districts(path, crs: str = UTM, **columns):
    frame = geopandas.GeoDataFrame({"name": list(DISTRICTS), **columns}, geometry=list(DISTRICTS.values()), crs=UTM)
    frame.to_crs(crs).to_file(path)
    return path


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    return write_map(tmp_path_factory.mktemp("data"), "2023")


@pytest.fixture(scope="module")
def districts(tmp_path_factory):
    return write_districts(tmp_path_factory.mktemp("zones") / "districts.gpkg")


def figures_by_definition(polygon: shapely.Geometry) -> dict[str, float]:
    grid = reference_grid()
    rows, columns = np.mgrid[:64, :64]
    share = by_definition(np.array([polygon]), grid.transform, 64, 64)
    share[:2] = 0  # outside the region
    value, own = plane(rows, columns).astype(np.float32), share > 1e-9
    value, weight = value[own].astype(float), share[own]
    if not len(value):
        return {}
    mean = np.average(value, weights=weight)
    order = np.argsort(value)
    below = np.cumsum(weight[order]) / weight.sum()
    told = {name: value[order][np.argmax(below >= p - 1e-9)] for name, p in QUANTILES.items()}
    told |= {"mean": mean, "std": np.sqrt(np.average((value - mean) ** 2, weights=weight))}
    inside = weight[(columns < 60)[own]].sum() / weight.sum()
    return told | {"share_applicable": inside, "mean_width": 1.5 * mean, "cells": weight.sum()}


def test_figures_are_those_of_the_cells_and_their_parts(mapped, districts):
    found = zonal_table(mapped, districts).set_index("name")
    assert list(found.index) == list(DISTRICTS)
    for name, polygon in DISTRICTS.items():
        wanted, row = figures_by_definition(polygon), found.loc[name]
        for figure in ("mean", "std", "share_applicable", "mean_width", *QUANTILES):
            assert row[figure] == pytest.approx(wanted.get(figure, np.nan), rel=1e-5, nan_ok=True), (name, figure)
        cell = (PIXEL / 1000) ** 2
        assert row["mapped_km2"] == pytest.approx(wanted.get("cells", 0) * cell, rel=2e-3)
        assert row["area_km2"] == pytest.approx(polygon.area / 1e6, rel=2e-3)  # UTM's scale
    assert found.loc["elsewhere", "share_mapped"] == 0
    assert found.loc["with a lake", "share_mapped"] == pytest.approx(1, abs=1e-5)


def test_the_crs_of_the_file_does_not_matter(mapped, districts, tmp_path):
    by_degrees = zonal_table(mapped, write_districts(tmp_path / "districts.geojson", "EPSG:4326"))
    pd.testing.assert_frame_equal(
        by_degrees.drop(columns="zones"), zonal_table(mapped, districts).drop(columns="zones"), rtol=2e-3
    )


def test_blocks_of_rows_decide_nothing(mapped, districts, monkeypatch):
    whole = zonal_table(mapped, districts)
    monkeypatch.setattr(module, "_BLOCK", 700)
    pd.testing.assert_frame_equal(zonal_table(mapped, districts), whole, rtol=1e-12)


def test_cells_in_degrees_count_by_their_area(tmp_path):
    from rasterio import CRS
    from rasterio.transform import from_origin

    from soc_assets.geo.grid import Grid

    grid = Grid(CRS.from_epsg(4326), from_origin(10, 70, 1, 1), 2, 40)
    folder = write_map(tmp_path, "2023", lambda rows, _: rows.astype(float), grid, np.zeros((40, 2), np.uint8))
    path = tmp_path / "all.geojson"
    geopandas.GeoDataFrame({"a": [1]}, geometry=[shapely.box(10, 30, 12, 70)], crs=4326).to_file(path)
    latitude = np.radians(np.arange(70, 29, -1))
    weight = -np.diff(np.sin(latitude))  # of the sphere, near enough
    found = zonal_table(folder, path).iloc[0]
    assert found["mean"] == pytest.approx(np.average(np.arange(40), weights=weight), rel=2e-3)
    assert found["mapped_km2"] == pytest.approx(found["area_km2"], rel=1e-3)


def test_overlapping_parts_of_one_zone_count_once(mapped, tmp_path):
    path, box = tmp_path / "twice.geojson", DISTRICTS["with a lake"]
    twice = shapely.MultiPolygon([box, shapely.transform(box, lambda at: at + 500)])
    once = shapely.union_all(twice)
    geopandas.GeoDataFrame({"name": ["a", "b"]}, geometry=[twice, once], crs=UTM).to_file(path)
    found = zonal_table(mapped, path)
    assert found["mean"].iloc[0] == pytest.approx(found["mean"].iloc[1], rel=1e-9)
    assert found["area_km2"].iloc[0] == pytest.approx(found["area_km2"].iloc[1], rel=1e-9)


def test_without_quality_and_interval_their_figures_are_null(mapped, districts, tmp_path):
    folder = write_map(tmp_path, "2023")
    for name in ("upper", "quality"):
        (folder / f"{name}.tif").unlink()
    found = zonal_table(folder, districts)
    assert found[["mean_width", "share_applicable"]].isna().all(axis=None)
    assert found["mean"].equals(zonal_table(mapped, districts)["mean"])


def test_written_table_has_the_schema_and_the_columns_of_the_file(mapped, tmp_path):
    names = {"note": [HTML, SQL, None, "", "x"], "code": [1.0, 2.0, 3.0, 4.5, None]}
    written = write_zonal_table(mapped, write_districts(tmp_path / "my districts.gpkg", **names), "name")
    assert written == mapped / "zones/my districts.parquet"
    table = pq.read_table(written)
    assert table["attributes"].to_pylist()[:2] == [
        [("name", "north"), ("note", HTML), ("code", "1")],
        [("name", "with a lake"), ("note", SQL), ("code", "2")],
    ]
    assert table["zone"].to_pylist() == [1, 2, 3, 4, 5]
    assert set(table["model"].to_pylist()) == {DIGEST} and set(table["period"].to_pylist()) == {"2023"}


def test_zones_without_a_name_have_their_number(mapped, tmp_path):
    path = tmp_path / "nameless.geojson"
    geopandas.GeoDataFrame({"x": [1, 2]}, geometry=list(DISTRICTS.values())[:2], crs=UTM).to_file(path)
    assert zonal_table(mapped, path)["name"].tolist() == ["1", "2"]


def test_zones_are_named_by_the_column_asked_for_or_the_only_one_of_text(mapped, tmp_path):
    path = tmp_path / "zones.gpkg"
    columns = {"number": [7, 8], "Landkreis": ["Hof", "Ä"]}
    geopandas.GeoDataFrame(columns, geometry=list(DISTRICTS.values())[:2], crs=UTM).to_file(path)
    assert zonal_table(mapped, path)["name"].tolist() == ["Hof", "Ä"]
    assert zonal_table(mapped, path, "number")["name"].tolist() == ["7", "8"]
    geopandas.GeoDataFrame(columns | {"other": ["a", "b"]}, geometry=list(DISTRICTS.values())[:2], crs=UTM).to_file(
        path
    )
    assert zonal_table(mapped, path)["name"].tolist() == ["1", "2"]  # which of the two is not known
    assert zonal_table(mapped, path, "other")["name"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("boxes", "crs", "name", "words"),
    [
        (
            [shapely.box(0, 0, 1, 1)],
            4326,
            None,
            "None of the 1 polygons of .* reaches the map 2023, which goes from 10",
        ),
        ([shapely.box(10, 48, 11, 49)], UTM, None, "Is the CRS of the file right"),
        ([shapely.box(10, 48, 11, 49)], None, None, "states no CRS"),
        ([shapely.Point(10, 48)], 4326, None, "holds no polygon"),
        ([shapely.box(10, 48, 11, 49)], 4326, "nom", "has no column 'nom'; it has name. Name one of them"),
    ],
)
def test_files_that_cannot_be_used_are_named(mapped, tmp_path, boxes, crs, name, words):
    path = tmp_path / "zones.gpkg"
    geopandas.GeoDataFrame({"name": ["a"]}, geometry=boxes, crs=crs).to_file(path)
    with pytest.raises(InputError, match=words):
        zonal_table(mapped, path, name)


def test_without_a_file_or_a_map(mapped, districts, tmp_path):
    with pytest.raises(InputError, match=r"none.gpkg does not exist"):
        zonal_table(mapped, tmp_path / "none.gpkg")
    with pytest.raises(StateError, match="There is no map in"):
        zonal_table(tmp_path, districts)


def test_view_shows_the_tables_of_all_maps_and_nothing_where_there_is_none(tmp_path):
    data = tmp_path / "it's [data]*"
    columns = columns_of(data, "map_zones")
    write_schema(data, "map_zones", columns)
    query = table_sql(data, "map_zones", columns)
    assert duckdb.sql(query).fetchall() == []
    districts = write_districts(tmp_path / "districts.gpkg")
    for period in ("2022", "2023"):
        folder = write_map(data, period)
        write_zonal_table(folder, districts)
    shutil.copytree(folder, folder.with_name(".2023.of-a-killed-process.tmp"))  # and a map that is being removed:
    shutil.copytree(folder.parent, folder.parent.with_name(".removing-other"))
    rows = duckdb.sql(
        f"SELECT period, name, attributes['name'] FROM ({query}) WHERE zone = 2 ORDER BY period"
    ).fetchall()
    assert rows == [("2022", "with a lake", "with a lake"), ("2023", "with a lake", "with a lake")]
