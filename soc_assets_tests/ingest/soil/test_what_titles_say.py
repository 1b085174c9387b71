"""Units in the lines above a table, and columns of carbon for several depths."""

import openpyxl
import pytest

from soc_assets.errors import SoilError
from soc_assets.ingest.quality.columns import column_findings
from soc_assets.settings import SoilColumns, SoilTable
from soc_assets_tests.ingest.soil.soil_world import write

ROWS = "id,longitude,latitude,{name},year", "1,11.5,48.5,2.5,2015"


def table(folder, *titles: str, name: str = "OC") -> None:
    write(folder / "soil/a.csv", *titles, *(line.format(name=name) for line in ROWS))


@pytest.mark.parametrize(
    ("titles", "name", "carbon"),
    [
        (("# OC in %",), "OC", 25),
        (("# unit: g/100g",), "OC", 25),
        (("# Units: g/kg",), "SOC", 2.5),
        (("// clay in %, organic carbon [g kg-1], sand (%)",), "SOC", 2.5),
        (("Data of 2015", "% for OC and cm for depth"), "OC", 25),
        (("# all values are given in %",), "OC", 25),
        (("# all values in %",), "OC (g/kg)", 2.5),  # the column says more
        (("# clay in %; depth in cm",), "OC", 2.5),
        (("# Humus in %",), "OC", 2.5),
        (("# Corg: mg/kg",), "OC", 0.0025),
        (("# Humus in %",), "Humus", 25 / 1.724),
    ],
)
def test_a_line_above_the_names_says_the_unit(tmp_path, build, titles, name, carbon):
    table(tmp_path, *titles, name=name)
    assert build().samples["organic_carbon"].item() == pytest.approx(carbon)


@pytest.mark.parametrize(
    ("title", "name", "how", "words"),
    [
        ("# OC in %", "OC", {"unit": "g/kg"}, "the line '# OC in %' above the names says %, but"),
        ("# unit: %", "OC", {"unit": "g/kg"}, "the line '# unit: %' above the names says %, but"),
        ("# OC in %", "OC (g/kg)", {}, "the line '# OC in %' above the names says %"),
        ("# SOC in t/ha", "SOC", {}, "a stock per area"),
    ],
)
def test_a_line_that_contradicts_is_refused(tmp_path, build, title, name, how, words):
    table(tmp_path, title, name=name)
    with pytest.raises(SoilError) as raised:
        build(tables=(SoilTable(file="a.csv", **how),))
    assert words in str(raised.value)


def test_a_title_of_a_workbook_says_the_units_of_carbon_and_depth(tmp_path, build):
    (tmp_path / "soil").mkdir()
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    lines = ["Soils of 2015"], ["Organic carbon in %; depth in m"], ["id", "lon", "lat", "OC", "from", "to", "year"]
    for row in (*lines, [1, 11.5, 48.5, 2.5, 0, 0.2, 2015]):
        sheet.append(row)
    book.save(tmp_path / "soil/a.xlsx")
    assert build().samples["organic_carbon"].item() == pytest.approx(25)


DEPTHS = "id,longitude,latitude,{},year", "1,11.5,48.5,20,10,2015"


@pytest.mark.parametrize(
    "names",
    ["OC_0_10,OC_10_30", "SOC_0-20cm,SOC_20-50cm", "Corg 0-10 cm (%),Corg 10-30 cm (%)", "OC_topsoil,OC_subsoil"],
)
def test_columns_of_carbon_by_depth_are_named_and_none_is_taken(tmp_path, build, names):
    header, row = DEPTHS
    write(tmp_path / "soil/a.csv", header.format(names), row)
    with pytest.raises(SoilError) as raised:
        build()
    first, second = names.split(",")
    assert f"{first!r} (" in str(raised.value) and f"{second!r} (" in str(raised.value)
    assert "hold carbon by depth" in str(raised.value)


def test_the_cure_for_columns_by_depth_works_and_another_depth_is_a_finding(tmp_path, build):
    header, row = DEPTHS
    write(tmp_path / "soil/a.csv", header.format("OC_0_10,OC_10_30"), row)
    columns = SoilColumns(organic_carbon="OC_0_10")
    right = build(tables=(SoilTable(file="a.csv", columns=columns, depth="0-10"),))
    assert right.samples["organic_carbon"].item() == 20 and right.tables["notes"].item() == ""
    other = build(tables=(SoilTable(file="a.csv", columns=columns),))
    (finding,) = column_findings(other.tables, "Elevation")
    assert "the column 'OC_0_10' says '0-10 cm', and 0-20 cm is wanted" in finding.found


def test_columns_by_depth_beside_the_one_that_is_read_are_a_finding(tmp_path, build):
    header, row = DEPTHS
    write(tmp_path / "soil/a.csv", header.format("OC,OC_20_30"), row)
    (finding,) = column_findings(build().tables, "Elevation")
    assert "'OC' is read, and 'OC_20_30' (20-30 cm) hold carbon by depth" in finding.found
    assert "a row of its own" in finding.cure
