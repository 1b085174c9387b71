"""Further columns of soil tables: what is kept beside the samples, under which name and type."""

import pytest

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.clean import SAMPLE_COLUMNS
from soc_assets.settings import SoilTable
from soc_assets_tests.ingest.soil.soil_world import LUCAS_HEADER, lucas_row, write


def test_land_cover_and_the_like_are_kept_and_further_columns_when_asked(tmp_path, build):
    write(tmp_path / "soil/LUCAS_2018.csv", LUCAS_HEADER, lucas_row(1, "12.4"))
    write(
        tmp_path / "soil/lfu.csv",
        "id;lon;lat;OC;year;Bodentyp;Labor;clay;LC;Year_2",
        "7;11,6;48,5;9;2015;Braunerde;A;12,5;;3",
        "8;11,7;48,5;9;2015;-;B;20;;4",
    )
    plain = build().samples
    assert list(plain.columns[len(SAMPLE_COLUMNS) :]) == ["land_cover", "land_use", "soil_type", "laboratory"]
    kept = build(extra=("clay", "LC", "N*")).samples.sort_values("longitude").set_index("file")
    assert kept["land_cover"].dropna().to_dict() == {"LUCAS_2018.csv": "Woodland"}
    assert kept["land_use"].dropna().to_dict() == {"LUCAS_2018.csv": "Forestry"}
    assert kept["soil_type"].dropna().to_list() == ["Braunerde"]
    assert kept["clay"].dropna().to_list() == [12.5, 20.0]
    assert kept["LC"].dropna().to_list() == ["C23"]
    assert kept["NUTS_3"].dropna().to_list() == ["DE21A"]
    assert plain["sample_id"].to_list() == build(extra=("*",)).samples["sample_id"].to_list()


def test_columns_of_several_names_become_one_of_a_new_name(tmp_path, build):
    write(tmp_path / "soil/a.csv", "id;lon;lat;OC;year;Form", "7;11.6;48.5;9;2015;Moor")
    write(tmp_path / "soil/b.csv", "id;lon;lat;OC;year;Typ;year ", "8;11.7;48.5;9;2015;Gley;2015")
    entries = (
        SoilTable(file="a.csv", extra={"soil": "Form"}),
        SoilTable(file="b.csv", extra={"soil": "typ", "split": "id"}),
    )
    kept = build(tables=entries).samples.set_index("file")
    assert kept["soil"].to_dict() == {"a.csv": "Moor", "b.csv": "Gley"}
    assert kept["split_"].dropna().to_dict() == {"b.csv": 8}


def test_a_name_that_no_table_has_is_told(tmp_path, build):
    write(tmp_path / "soil/a.csv", "id;lon;lat;OC;year;Form", "7;11.6;48.5;9;2015;Moor")
    with pytest.raises(SoilError, match=r"\[soil\] extra 'Frm'.*Found: Form, OC"):
        build(extra=("Frm",))
    with pytest.raises(SoilError, match=r"file = 'a\.csv' extra 'Frm'"):
        build(tables=(SoilTable(file="a.csv", extra={"soil_type": "Frm"}),))
