"""What the names of columns say: exact before similar, signs and units, depths under other names."""

import pandas as pd
import pytest

from soc_assets.errors import SoilError
from soc_assets.ingest.quality.columns import column_findings
from soc_assets.ingest.soil.columns import find_columns
from soc_assets.settings import SoilColumns, SoilTable
from soc_assets_tests.ingest.soil.soil_world import reasons, write

UNITS = {
    "OC (%)": 15.0,
    "OC [g/kg]": 1.5,
    "Corg_%": 15.0,
    "SOC_gkg": 1.5,
    "OC (mg/g)": 1.5,
    "OC (‰)": 1.5,
    "C org. in %": 15.0,
    "OC_percent": 15.0,
    "% OC": 15.0,
    "SOC (g C kg⁻¹)": 1.5,
    "Org. C (g/100 g)": 15.0,
    "OC mg kg-1": 0.0015,
    "Humus [Masse-%]": 15 / 1.724,
    "OrganicCarbon": 1.5,
    "OC ": 1.5,
}


def test_the_unit_in_a_name_is_the_unit_of_its_values(tmp_path, build):
    for number, name in enumerate(UNITS):
        write(tmp_path / f"soil/t{number:02d}.csv", f"id;lon;lat;{name};year", f"1;11.{number:02d}5;48.5;1.5;2015")
    kept = build().samples.sort_values("file")
    assert kept["organic_carbon"].to_list() == pytest.approx(list(UNITS.values()))


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("± OC", "no column for organic_carbon"),
        ("∆OC", "no column for organic_carbon"),
        ("OC_sd", "no column for organic_carbon"),
        ("OC (20-30 cm)", "no column for organic_carbon"),
        ("OC (t/ha)", "a stock per area"),
        ("OC (kg/m3)", "an amount per volume"),
        ("Corg", "set unit = 'g/kg' or '%'"),
        ("Humus", "'organic_matter_%'"),
        ("TC (%)", "may be total carbon"),
    ],
)
def test_what_is_no_content_of_organic_carbon_is_refused(tmp_path, build, header, said):
    write(tmp_path / "soil/a.csv", f"id;lon;lat;{header};year", "1;11.5;48.5;1.5;2015")
    with pytest.raises(SoilError) as error:
        build()
    assert said in str(error.value)


@pytest.mark.parametrize("other", ["± OC", "∆OC", "OC (%)", "OC_sd", "< OC"])
def test_an_exact_name_goes_before_one_that_is_like_it(other):
    found = find_columns(["id", other, "lon", "lat", "OC"], SoilColumns())
    assert found["organic_carbon"] == 4


def test_the_exact_name_of_the_settings_goes_before_one_that_is_like_it(tmp_path, build):
    write(tmp_path / "soil/a.csv", "id;lon;lat;Corg;Corg (%);year", "1;11.5;48.5;12;1.2;2015")
    entry = SoilTable(file="a.csv", columns=SoilColumns(organic_carbon="Corg (%)"), unit="%")
    assert build(tables=(entry,)).samples["organic_carbon"].to_list() == [12.0]


def test_two_columns_for_one_field_are_refused_with_both_names_and_a_cure_that_works(tmp_path, build):
    write(tmp_path / "soil/a.csv", "id;lon;lat;OC;Corg;year", "1;11.5;48.5;12;1.2;2015")
    with pytest.raises(SoilError, match=r"'OC' \(column 4\) and 'Corg' \(column 5\).*organic_carbon = 'OC'"):
        build()
    entry = SoilTable(file="a.csv", columns=SoilColumns(organic_carbon="OC"))
    assert build(tables=(entry,)).samples["organic_carbon"].to_list() == [12.0]
    write(tmp_path / "soil/a.csv", "id;OC ;lon;lat;OC;year", "1;1.2;11.5;48.5;12;2015")
    with pytest.raises(SoilError, match=r"column 2.*column 5.*Rename one"):
        build()
    write(tmp_path / "soil/a.csv", "id;OC ;lon;lat;OC;year", "1;12;11.5;48.5;12;2015")
    assert build().samples["organic_carbon"].to_list() == [12.0]


def test_names_cut_to_ten_letters_count_in_dbf_alone():
    header = ["id", "lon", "lat", "organic_ca"]
    assert "organic_carbon" not in find_columns(header, SoilColumns())
    assert find_columns(header, SoilColumns(), cut=True)["organic_carbon"] == 3


def test_names_composed_differently_are_one(tmp_path, build):
    write(tmp_path / "soil/a.csv", "id;La\u0308nge;lat;OC;year", "1;11.5;48.5;12;2015")
    entry = SoilTable(file="a.csv", columns=SoilColumns(longitude="L\u00e4nge"))
    assert len(build(tables=(entry,)).samples) == 1


def test_a_row_of_units_below_the_header_is_read(tmp_path, build):
    write(tmp_path / "soil/a.csv", "id;lon;lat;OC;top;bottom;year", ";deg;deg;%;m;m;", "1;11,5;48,1;1,25;0;0,2;2015")
    result = build()
    assert result.samples[["organic_carbon", "row"]].values.tolist() == [[12.5, 3]]
    assert result.rejected.empty
    assert result.tables["unit_from"].item() == "the row of units under 'OC'"


def test_a_column_of_units_counts_row_by_row(tmp_path, build):
    lines = [f"{n};11,{n};48,5;12,5;{unit};2015" for n, unit in enumerate(["%", "g/kg", "", "mmol"], start=1)]
    write(tmp_path / "soil/a.csv", "id;lon;lat;OC;OC_unit;year", *lines)
    result = build()
    assert sorted(result.samples["organic_carbon"]) == [12.5, 12.5, 125.0]
    assert reasons(result) == {5: "unit not understood"}
    write(tmp_path / "soil/a.csv", "id;lon;lat;OC;unit;year", "1;11.5;48.5;12.5;Luvisol A;2015")
    assert build().samples["organic_carbon"].to_list() == [12.5]


@pytest.mark.parametrize(
    ("header", "row", "unit"), [("OC (%)", "1.2", "g/kg"), ("Humus", "1.2", "%"), ("OC;OC_unit", "1.2;%", "g/kg")]
)
def test_a_unit_that_contradicts_the_settings_is_refused(tmp_path, build, header, row, unit):
    write(tmp_path / "soil/a.csv", f"id;lon;lat;year;{header}", f"1;11.5;48.5;2015;{row}")
    columns = SoilColumns(organic_carbon=header.split(";")[0])
    with pytest.raises(SoilError, match=r"[Uu]nit"):
        build(tables=(SoilTable(file="a.csv", columns=columns, unit=unit),))


LIMITS = {
    "top;bottom": 1,
    "hzdept_r;hzdepb_r": 1,
    "depth_from (m);depth_to (m)": 0.01,
    "Tiefe_o;Tiefe_u": 1,
    "von;bis": 1,
    "TiefeVon;TiefeBis": 1,
    "upper_depth [mm];lower_depth [mm]": 10,
    "hor_top;hor_bot": 1,
}


def test_limits_of_horizons_are_read_under_their_names_and_in_their_unit(tmp_path, build):
    for number, (names, factor) in enumerate(LIMITS.items()):
        lines = [
            f"1;11.{number}5;48.5;{top * factor:g};{bottom * factor:g};{carbon};2015"
            for top, bottom, carbon in ((0, 20, 25), (20, 50, 9), (50, 100, 3))
        ]
        write(tmp_path / f"soil/t{number}.csv", f"id;lon;lat;{names};OC;year", *lines)
    result = build()
    assert result.samples["organic_carbon"].to_list() == [25.0] * len(LIMITS)
    assert set(result.rejected["reason"]) == {"depth not topsoil"}


def test_words_that_mean_depths_only_beside_numbers_are_left_alone(tmp_path, build):
    write(tmp_path / "soil/a.csv", "id;lon;lat;von;bis;OC;year", "1;11.5;48.5;Mai;Juni;12;2015")
    result = build()
    assert len(result.samples) == 1
    assert "'von' is not read as a depth" in result.tables["notes"].item()


def test_rows_that_look_like_horizons_are_a_finding(tmp_path, build):
    lines = [
        f"{n};11.{n};48.5;{layer};{carbon + n};2015"
        for n in range(1, 4)
        for layer, carbon in (("Ah", 25), ("B", 9), ("C", 3))
    ]
    write(tmp_path / "soil/a.csv", "id;lon;lat;Horizont;OC;year", *lines)
    findings = column_findings(build().tables, "Elevation")
    assert {finding.key for finding in findings} == {"columns:Elevation"}
    found = " ".join(finding.found for finding in findings)
    assert "'Horizont'" in found
    assert "9 rows share id, place and day" in found and "6 times down, 0 up" in found


def test_a_depth_in_single_precision_is_the_depth(tmp_path, build):
    frame = pd.DataFrame({"lon": [11.5], "lat": [48.5], "OC": [9.0], "year": [2015]})
    frame = frame.assign(**{"top (m)": [0.0], "bottom (m)": [float(pd.array([0.3], "float32").to_numpy()[0])]})
    (tmp_path / "soil").mkdir()
    frame.to_parquet(tmp_path / "soil/a.parquet")
    assert build(depth="0-30").samples["organic_carbon"].to_list() == [9.0]
