"""Files that strangers send: what they hold is not what their name says, unpacks without end, or is damaged."""

import json
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.formats import read_sheets
from soc_assets.settings import SoilLimits, SoilTable
from soc_assets_tests.ingest.soil.soil_world import layer, write

GOOD = ("lon,lat,OC,date", "11.5,48.5,10,2012-05-01")


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """An address on this machine, and the requests that came."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}", seen
    running.shutdown()
    running.server_close()


def read(path: Path, **limits: int) -> list:
    return read_sheets(path, SoilTable(file=path.name), limits=SoilLimits(**limits))


def points_layer() -> dict:
    point = {"type": "Point", "coordinates": [11.5, 48.5]}
    return {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"OC": 1}, "geometry": point}]}


def geopackage(path: Path, *statements: str) -> Path:
    layer({"OC": [1.0, 2.0]}, [11.5, 11.6], [48.5, 48.6]).to_file(path, layer="points")
    with sqlite3.connect(path) as database:
        for statement in statements:
            database.execute(statement)
    database.close()
    return path


def workbook(path: Path, cell: str = "A2", text: str | int = 1) -> Path:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["lon", "lat", "OC"])
    sheet[cell] = text
    book.save(path)
    return path


def with_member(path: Path, name: str, change) -> Path:
    """The archive with one member put in the place of another."""
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, change(content) if member == name else content)
    return path


@pytest.mark.parametrize("suffix", [".geojson", ".gpkg", ".shp", ".dbf"])
def test_driver_is_that_of_the_ending_and_nothing_is_fetched(tmp_path, server, suffix):
    address, seen = server
    source = f"/vsicurl/{address}/a.geojson"
    virtual = f'<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>{source}</SrcDataSource></OGRVRTLayer>'
    pipeline = {"type": "gdal_streamed_alg", "command_line": f"gdal vector pipeline ! read {source} ! write x"}
    for content in (f"{virtual}</OGRVRTDataSource>", json.dumps(pipeline)):
        with pytest.raises(SoilError):
            read(write(tmp_path / f"x{suffix}", content))
    assert seen == []


@pytest.mark.parametrize("place", ["collection", "geometry", "escaped"])
def test_crs_of_geojson_at_an_address_is_refused_and_not_fetched(tmp_path, server, place):
    address, seen = server
    content, link = points_layer(), {"type": "link", "properties": {"href": f"{address}/crs"}}
    (content["features"][0]["geometry"] if place == "geometry" else content)["crs"] = link
    text = json.dumps(content)
    text = text.replace('"link"', '"l\\u0069nk"').replace('"crs"', '"\\u0063rs"') if place == "escaped" else text
    with pytest.raises(SoilError, match="take `crs` out of it"):
        read(write(tmp_path / "x.geojson", text))
    assert seen == []


def test_view_is_not_run_and_other_layers_are_read(tmp_path):
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS fid FROM c"
    path = geopackage(tmp_path / "x.gpkg", f"CREATE VIEW endless AS {endless}")
    before = path.read_bytes()
    points, view = read(path)
    assert (points.part, len(points.body)) == ("points", 2)
    assert "is a view" in view.problem
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("CREATE VIRTUAL TABLE words USING fts5(a)", "virtual table"),
        ("CREATE TABLE big(fid INTEGER PRIMARY KEY, a AS (hex(zeroblob(400000000))))", "generated"),
        ("UPDATE gpkg_ogr_contents SET feature_count = 1", "but it has 2"),
    ],
)
def test_geopackage_that_computes_or_contradicts_itself_is_refused(tmp_path, statement, told):
    with pytest.raises(SoilError, match=told):
        read(geopackage(tmp_path / "x.gpkg", statement))


def test_cell_at_the_end_of_a_sheet_is_refused_by_the_limit_of_cells(tmp_path):
    with pytest.raises(SoilError, match=r"reach to XFD1048576.*max_cells = 50,000,000 of \[soil\]"):
        read(workbook(tmp_path / "x.xlsx", "XFD1048576"))


def test_cell_where_no_workbook_has_one_is_refused(tmp_path):
    path = workbook(tmp_path / "x.xlsx")
    sheet = "xl/worksheets/sheet1.xml"
    with_member(path, sheet, lambda xml: xml.replace(b'r="A2"', b'r="ZZZZZZ2"'))
    with pytest.raises(SoilError, match="column"):
        read(path)


def test_workbook_that_unpacks_to_much_is_refused_before_it_is_unpacked(tmp_path):
    path = workbook(tmp_path / "x.xlsx")
    blanks = b" " * 60_000_000
    with_member(path, "xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"<sheetData>", blanks + b"<sheetData>"))
    with pytest.raises(SoilError, match="times as many"):
        read(path)
    with pytest.raises(SoilError, match="max_bytes = 10,000,000"):
        read(path, max_bytes=10_000_000)


def test_xml_that_defines_entities_is_refused_and_the_other_tables_are_read(tmp_path, build):
    write(tmp_path / "soil/good.csv", *GOOD)
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    path = workbook(tmp_path / "soil/x.xlsx")
    with_member(path, "xl/worksheets/sheet1.xml", lambda xml: bomb + xml)
    result = build()
    assert len(result.samples) == 1
    assert "x.xlsx: xl/worksheets/sheet1.xml in it has a document type" in result.rejected["detail"].item()


def test_text_beyond_its_limit_is_refused_in_every_format(tmp_path):
    text = "x" * 3000
    frame = layer({"OC": [text]}, [11.5], [48.5])
    frame.to_file(tmp_path / "a.gpkg")
    frame.to_parquet(tmp_path / "b.parquet")
    pd.DataFrame({"OC": [text]}).to_parquet(tmp_path / "c.parquet")
    workbook(tmp_path / "d.xlsx", "C2", text)
    write(tmp_path / "e.csv", "lon,lat,OC", f"11.5,48.5,{text}")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(SoilError, match="max_text = 1,000"):
            read(path, max_text=1000)
        assert read(path)


def test_value_that_parquet_repeats_is_counted_each_time(tmp_path):
    cells = pa.DictionaryArray.from_arrays(pa.array(np.zeros(100_000, "int8")), pa.array(["x" * 90_000]))
    pq.write_table(pa.table({"OC": cells}), tmp_path / "x.parquet")
    assert (tmp_path / "x.parquet").stat().st_size < 300_000
    with pytest.raises(SoilError, match=r"max_bytes = 2,000,000,000"):
        read(tmp_path / "x.parquet")


def test_line_that_never_ends_and_bytes_that_are_no_text_are_refused(tmp_path):
    with pytest.raises(SoilError, match="line 2"):
        read(write(tmp_path / "x.csv", GOOD[0], "1" * 20_000), max_text=1000)
    with pytest.raises(SoilError, match="max_columns = 10"):
        read(write(tmp_path / "x.csv", GOOD[0], ",".join("1" * 11)), max_columns=10)
    (tmp_path / "x.csv").write_bytes(bytes(20) + b"\n".join(line.encode() for line in GOOD))
    with pytest.raises(SoilError, match="NUL bytes"):
        read(tmp_path / "x.csv")


def test_wide_table_keeps_the_columns_that_are_used(tmp_path, build):
    names = ",".join(f"{400 + place / 2:.1f}" for place in range(300))
    write(tmp_path / "soil/x.csv", f"lon,lat,{names},OC,date", f"11.5,48.5,{names},10,2012-05-01")
    sample = build(extra=["400.5"]).samples.iloc[0]
    assert (sample["organic_carbon"], sample["longitude"], sample["400.5"]) == (10, 11.5, 400.5)


def test_wide_table_keeps_what_other_columns_say_of_a_row(tmp_path, build):
    spectrum, absorbed = (",".join(f"{start + place / 2:.1f}" for place in range(100)) for start in (400, 0))
    names = f"plot,lat deg,lat min,lon,{spectrum},OC_qual,s,OC,date"
    rows = [f"a,48,30,11.5,{absorbed},,1,10,2012-05-01", f"b,48,45,11.6,{absorbed},<,1,2,2012-05-02"]
    write(tmp_path / "soil/x.csv", names, *rows, f"Mean,,,,{absorbed},,1,6,")
    result = build()
    assert result.samples["latitude"].tolist() == [48.5]
    reasons = dict(zip(result.rejected["row"], result.rejected["reason"], strict=True))
    assert reasons == {3: "below detection limit", 4: "summary row"}


def test_names_of_a_wide_table_that_stand_in_it_again_begin_no_other_table(tmp_path, build):
    spectrum, absorbed = (",".join(f"{start + place / 2:.1f}" for place in range(100)) for start in (400, 0))
    names = f"lon,lat,OC,date,{spectrum}"
    rows = [f"11.5,48.{place},10,2012-05-01,{absorbed}" for place in (5, 6)]
    write(tmp_path / "soil/x.csv", names, rows[0], names, rows[1])
    result = build()
    assert sorted(result.samples["latitude"]) == [48.5, 48.6]
    assert result.rejected["reason"].tolist() == ["no coordinates"]


def test_lines_in_quotes_as_a_whole_are_parted_below_the_first_rows_too(tmp_path, build):
    rows = [f'"11.5,48.5,{carbon},2012-05-01"' for carbon in range(1, 81)]
    write(tmp_path / "soil/x.csv", f'"{GOOD[0]}"', *rows)
    assert sorted(build().samples["organic_carbon"]) == [*range(1, 81)]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet", ".gpkg", ".geojson", ".shp", ".dbf"])
def test_damaged_file_is_a_table_or_an_error_of_ours(tmp_path, suffix):
    frame = layer({"OC": [1.0, 2.0], "id": ["a", "b"]}, [11.5, 11.6], [48.5, 48.6])
    path = tmp_path / f"x{suffix}"
    match suffix:
        case ".csv":
            write(path, *GOOD)
        case ".xlsx":
            workbook(path)
        case ".parquet":
            frame.to_parquet(path)
        case _:
            frame.to_file(path.with_suffix(".shp") if suffix == ".dbf" else path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for trial in range(12):
        damaged = bytearray(whole[: rng.integers(1, len(whole))] if trial % 3 == 0 else whole)
        for place in rng.integers(0, len(damaged), 4):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            assert isinstance(read(path), list)
        except SoilError as error:
            assert str(error)
