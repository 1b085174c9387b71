"""What a sample_id may depend on, and what is one sample."""

import random

import pandas as pd
import pytest

from soc_assets.sampling.locations import location_ids
from soc_assets.settings import SoilColumns, SoilTable
from soc_assets_tests.ingest.soil.soil_world import reasons, write

HEADER = "id,lon,lat,OC,date"
ROWS = [(f"p{n}", 11.1 + n / 37, 48.1 + n / 41, 5.0 + n, f"2012-05-{n + 1:02d}") for n in range(20)]


def ids_by_point(build) -> dict[tuple[float, float], str]:
    found = build().samples
    places = zip(found["longitude"].round(4), found["latitude"].round(4), strict=True)
    return dict(zip(places, found["sample_id"], strict=True))


def lines(rows: list[tuple], spelling: str) -> list[str]:
    return [",".join([point, format(x, spelling), format(y, spelling), f"{oc}", day]) for point, x, y, oc, day in rows]


@pytest.mark.parametrize("seed", range(5))
def test_ids_do_not_depend_on_order_of_rows_or_files_spelling_of_numbers_or_carbon(tmp_path, build, seed):
    half = len(ROWS) // 2
    for name, rows in (("a", ROWS[:half]), ("b", ROWS[half:])):
        write(tmp_path / f"soil/{name}.csv", f"{HEADER},source", *(f"{line},S" for line in lines(rows, ".7f")))
    before = ids_by_point(build)
    chance = random.Random(seed)
    mixed = [(point, x, y, chance.choice([oc, oc + 1, round(oc / 3, 3)]), day) for point, x, y, oc, day in ROWS]
    chance.shuffle(mixed)
    cut = chance.randrange(1, len(mixed))
    for name, rows in (("z", mixed[:cut]), ("c", mixed[cut:])):
        spelling = chance.choice([".7f", ".12f", ".9e", "011.7f"])
        write(tmp_path / f"soil/{name}.csv", f"{HEADER},source", *(f"{line},S" for line in lines(rows, spelling)))
    for name in ("a", "b"):
        (tmp_path / f"soil/{name}.csv").unlink()
    assert len(before) == len(ROWS)
    assert ids_by_point(build) == before


def test_workbook_and_text_give_the_same_ids(tmp_path, build):
    write(tmp_path / "soil/a.csv", "id,lon,lat,OC,date", "17,11.5,48.5,10,01.05.2012")
    before = build().samples["sample_id"].to_list()
    (tmp_path / "soil/a.csv").unlink()
    day = pd.Timestamp(2012, 5, 1)
    frame = pd.DataFrame({"id": [17.0], "lon": [11.5], "lat": [48.5], "OC": [11.0], "date": [day]})
    frame.to_excel(tmp_path / "soil/a.xlsx", index=False)
    assert build().samples["sample_id"].to_list() == before


def test_a_table_added_in_another_format_keeps_the_ids(tmp_path, build):
    rows = [f"{n // 2},11.5,48.{n // 2 + 1},{n + 1},2012-05-01" for n in range(6)]
    write(tmp_path / "soil/a.tsv", HEADER.replace(",", "\t"), *(row.replace(",", "\t") for row in rows))
    before = dict(zip(build().samples["organic_carbon"], build().samples["sample_id"], strict=True))
    write(tmp_path / "soil/a.csv", HEADER, *rows)
    result = build()
    assert dict(zip(result.samples["organic_carbon"], result.samples["sample_id"], strict=True)) == before
    assert result.rejected["reason"].value_counts().to_dict() == {"duplicate": 6}


def test_ids_of_projected_tables_rest_on_the_coordinates_as_written(tmp_path, build):
    write(tmp_path / "soil/a.csv", "x,y,OC,year", "4468000.0,5330000,10,2012", "4468000.01,5330000,11,2012")
    columns = SoilColumns(longitude="x", latitude="y")
    found = {}
    for crs in ("EPSG:31468", "EPSG:5684"):  # two datum shifts, some metres apart
        samples = build(tables=(SoilTable(file="a.csv", columns=columns, crs=crs),)).samples.sort_values("row")
        found[crs] = samples
    first, second = found.values()
    assert first["sample_id"].to_list() == second["sample_id"].to_list()
    assert first["sample_id"].is_unique
    assert (first["longitude"] != second["longitude"]).all()


def test_same_place_date_and_carbon_is_one_sample_and_everything_else_is_not(tmp_path, build):
    write(
        tmp_path / "soil/a.csv",
        "id,lon,lat,OC,date",
        "a,11.5,48.5,10,2012-05-01",
        "b,11.500001,48.5,10.0,01.05.2012",  # another id and spelling
        "c,11.5,48.5,10,2012-05-02",
        "d,11.5,48.5,10.1,2012-05-01",
        "e,11.50002,48.5,10,2012-05-01",
    )
    result = build()
    assert sorted(result.samples["row"]) == [2, 4, 5, 6]
    assert reasons(result) == {3: "duplicate"}


def test_replicates_are_samples_of_one_location(tmp_path, build, grid):
    write(tmp_path / "soil/a.csv", HEADER, "a,11.5,48.5,10,2012-05-01", "a,11.5,48.5,12,2012-05-01")
    samples = build().samples
    assert samples["sample_id"].nunique() == 2
    assert len(set(location_ids(samples, "coordinates", grid))) == 1


REPEATED = [
    "a,11.51,48.5,10,2012-05-01",
    "b,11.52,48.5,11,2012-05-02",
    "b,11.52,48.5,12,2013-05-02",
    "c,11.53,48.5,13,",
    ",11.54,48.5,14,2012",
    "z,11.51,48.5,10,2012-05-01",
]


def test_sample_ids_are_unique_and_independent_of_row_order(tmp_path, build):
    header = "id,lon,lat,OC,date"
    write(tmp_path / "soil/a.csv", header, *REPEATED)
    first = build(timed=False).samples
    write(tmp_path / "soil/a.csv", header, *reversed(REPEATED))
    second = build(timed=False).samples
    assert first["sample_id"].is_unique
    assert first["sample_id"].str.fullmatch("s[0-9a-f]{12}").all()
    pd.testing.assert_frame_equal(first.drop(columns="row"), second.drop(columns="row"))
    assert len(first) == 5


def test_sample_id_never_depends_on_organic_carbon(tmp_path, build):
    def identities(*lines: str) -> dict[int, str]:
        write(tmp_path / "soil/a.csv", "id,lon,lat,OC,date", *lines)
        samples = build().samples
        return dict(zip(samples["row"], samples["sample_id"], strict=True))

    before = identities("a,11.5,48.5,10,2012-05-01", "a,11.5,48.5,< LOD,2012-05-01", "a,11.5,48.5,12,2012-05-01")
    after = identities("a,11.5,48.5,99,2012-05-01", "a,11.5,48.5,3.1,2012-05-01", "a,11.5,48.5,12,2012-05-01")
    assert before == {row: after[row] for row in (2, 4)}
    assert len(set(after.values())) == 3


def test_sample_id_is_the_same_on_every_machine(tmp_path, build):
    write(tmp_path / "soil/a.csv", "id,lon,lat,OC,date", "a,11.5,48.5,10,2012-05-01")
    assert build().samples["sample_id"].item() == "se86881091704"


def test_one_campaign_by_its_nominal_points_and_by_gps_is_there_once(tmp_path, build):
    header = "POINTID,lon,lat,OC,date"
    nominal = ["40000000,11.5,48.5,10,2015-07-06", "40000001,11.6,48.5,11,2015-07-06", "40000002,11.7,48.5,12,2015"]
    write(tmp_path / "soil/LUCAS_2015.csv", header, *nominal, "40000003,11.8,48.5,13,2015-07-06")
    write(
        tmp_path / "soil/LUCAS_2015_GPS.csv",
        header,
        "40000000,11.5002,48.5001,10.0,2015-07-06",  # 19 m beside: the same
        "40000001,11.602,48.5,11,2015-07-06",  # 147 m
        "40000002,11.7001,48.5,12,2015-07-07",  # a day where the other has the year
        "40000003,11.8001,48.5,13.1,2015-07-06",  # another value: a replicate
        "40000004,11.50019,48.5001,10.0,2015-07-06",  # another id
    )
    result = build()
    assert sorted(zip(result.rejected["file"], result.rejected["row"], strict=True)) == [
        ("LUCAS_2015_GPS.csv", 2),
        ("LUCAS_2015_GPS.csv", 4),
    ]
    assert set(result.rejected["reason"]) == {"duplicate"}
    assert result.rejected["detail"].to_list() == [
        "the same as LUCAS_2015.csv row 2",
        "the same as LUCAS_2015.csv row 4",
    ]
    assert dict(zip(result.samples["organic_carbon"], result.samples["own_id"], strict=True))[13.1] == "40000003"


def test_plots_of_one_table_some_metres_apart_are_no_duplicates(tmp_path, build):
    rows = [f"A,11.5{i:03d},48.5,10,2015-07-06" for i in range(1, 4)]
    write(tmp_path / "soil/trial.csv", "id,lon,lat,OC,date", *rows)
    assert len(build().samples) == 3
