"""Findings about soil tables as files: set aside, rejected rows, files that nothing reads."""

import pandas as pd

from soc_assets.ingest.quality.tables import files_not_read, table_findings

TABLES = pd.DataFrame({"file": ["lab.csv", "book.xlsx"], "rows": [24, 50]})


def rejected(*lines: tuple[str, int | None, str]) -> pd.DataFrame:
    frame = pd.DataFrame(lines, columns=["file", "row", "reason"]).assign(source="s", detail="why.")
    return frame.astype({"row": "Int64"})


def told(*lines: tuple[str, int | None, str]) -> list[tuple[str, str, str]]:
    return [(item.severity, item.band, item.found) for item in table_findings(rejected(*lines), TABLES)]


def test_a_table_that_cannot_be_used_is_a_warning_and_a_further_sheet_a_note():
    findings = told(
        ("lab.xls", None, "file not readable"),
        ("book.xlsx[legend]", None, "columns not recognised"),
        ("other.xlsx[legend]", None, "columns not recognised"),
    )
    assert [item[:2] for item in findings] == [
        ("warning", "lab.xls"),
        ("note", "book.xlsx[legend]"),
        ("warning", "other.xlsx[legend]"),
    ]
    assert findings[0][2] == "it is set aside, file not readable: why"


def test_rejected_rows_are_counted_by_table_and_reason_and_many_are_a_warning_with_a_cure():
    lines = [*(("lab.csv", row, "no date") for row in range(5, 25)), ("book.xlsx", 7, "no date")]
    many, few = sorted(table_findings(rejected(*lines), TABLES), key=lambda item: item.severity, reverse=True)
    assert (many.severity, many.band) == ("warning", "lab.csv")
    assert many.found == "20 of 24 rows (83%) are rejected: 20 no date (first: row 5)"
    assert "[soil.columns] survey_date" in many.cure
    assert (few.severity, few.band) == ("note", "book.xlsx")


def test_what_campaigns_come_with_is_no_warning_unless_nothing_is_left():
    outside = [("book.xlsx", row, "outside the rasters") for row in range(2, 51)]
    assert [item[:2] for item in told(*outside)] == [("note", "book.xlsx")]
    assert [item[:2] for item in told(*outside, ("book.xlsx", 51, "depth not topsoil"))] == [("warning", "book.xlsx")]
    twice = [("lab.csv", row, "duplicate") for row in range(2, 26)]
    assert [item[:2] for item in told(*twice)] == [("note", "lab.csv")]


def test_files_that_nothing_reads_are_named_and_documents_are_not(tmp_path):
    used = tmp_path / "lab.csv"
    for name in ("lab.csv", "lab.txt", "lab.csv.gz", "a.zip", "b.xlsm", "c.json", "old/2018.csv", "old/.hidden.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name in ("README.txt", "lab.pdf", "points.prj", ".DS_Store", "~$lab.xlsx"):
        (tmp_path / name).touch()
    [finding] = files_not_read(tmp_path, [used])
    assert finding.severity == "warning"
    assert finding.found == "6 files are not looked at: a.zip, b.xlsm, c.json, lab.csv.gz, lab.txt, old/2018.csv"
    (tmp_path / "model.bin").touch()
    assert [item.severity for item in files_not_read(tmp_path, [used])] == ["warning", "note"]
    assert files_not_read(tmp_path / "gone", []) == []
