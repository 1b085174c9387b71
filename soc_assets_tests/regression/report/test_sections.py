import numpy as np
import pandas as pd
import pytest

from soc_assets.regression.report.page import html_report
from soc_assets.regression.report.quarto import quarto_report
from soc_assets.regression.report.sections import Figure, Section, Table, display, interval, numbered, pictures, rounded
from soc_assets.reporting.figures import new_figure, to_png

PNG = to_png(new_figure(1.0, 1.0))
HOSTILE = '<img src=x onerror="alert(1)"> | $x$ {{< include /etc/passwd >}} [a](b) `c`'


def figure(name: str = "") -> Figure:
    return Figure("A figure.", PNG, "what it shows", name)


def table(folded: bool = False) -> Table:
    return Table("A table of two. It has more.", pd.DataFrame({"Model": ["a"], "R2": [0.4567]}), folded)


def test_figures_and_tables_are_numbered_through_all_sections_without_gaps():
    sections = [
        Section("One", ["words"], [table(folded=True), table()], [figure("first")]),
        Section("Nothing"),
        Section(
            "Two", tables=[table()], figures=[figure(), Figure("Two panels.", PNG, "left", beside=((PNG, "right"),))]
        ),
    ]
    parts = numbered(sections)
    assert [part.section.title for part in parts] == ["One", "Two"]
    assert [part.number for part in parts] == [1, 2]
    assert [number for part in parts for number, *_ in part.figures] == [1, 2, 3]
    assert [(number, each.folded) for part in parts for number, each in part.tables] == [
        (1, False),
        (2, True),
        (3, False),
    ]
    assert list(pictures(sections)) == ["first", "figure_2", "figure_3", "figure_3_b"]
    with pytest.raises(ValueError, match="two figures are called first"):
        numbered([sections[0], sections[0]])


def test_numbers_are_shown_alike_in_a_column_and_nothing_for_what_is_unknown():
    rows = pd.DataFrame(
        {
            "R2": [0.4432, -0.0001, np.nan],
            "RMSE": [9.96, 10.1, 11.0],
            "Large": [1234.5, 99.0, np.nan],
            "Year": [2012, 2013, 2014],
            "n": [760, 12345, 1],
            "Known": [True, False, True],
            "Words": ["a", None, "c"],
        }
    )
    shown = display(rows)
    assert shown["R2"].tolist() == ["0.44", "0.00", ""]
    assert shown["RMSE"].tolist() == ["10.0", "10.1", "11.0"]
    assert shown["Large"].tolist() == ["1,234", "99", ""]
    assert shown["Year"].tolist() == ["2012", "2013", "2014"]
    assert shown["n"].tolist() == ["760", "12,345", "1"]
    assert shown["Known"].tolist() == ["yes", "no", "yes"]
    assert shown["Words"].tolist() == ["a", "", "c"]


def test_intervals_are_one_cell_and_minus_zero_is_zero():
    assert interval(-0.0561, -0.001, 3) == "-0.056 to -0.001"
    assert interval(float("nan"), 1.0) == ""
    assert rounded(-0.004) == "0.00" and rounded(-0.006) == "-0.01"


def test_names_of_others_are_text_in_both_renderings():
    rows = pd.DataFrame({HOSTILE: [HOSTILE]})
    sections = [Section(HOSTILE, [HOSTILE], [Table(HOSTILE, rows)], [Figure(HOSTILE, PNG, HOSTILE)])]
    page = html_report(HOSTILE, sections, HOSTILE)
    assert "<img src=x" not in page and "&lt;img src=x onerror=&#34;alert(1)&#34;&gt;" in page
    assert "<script" not in page and "default-src 'none'" in page
    source = quarto_report(HOSTILE, sections, HOSTILE)
    body = source.split("---\n", 2)[2]
    assert "<img" not in body and "{{<" not in body and "{{&lt;" not in body
    [alt] = [line for line in body.splitlines() if "fig-alt" in line]
    caption, attribute = alt.split("fig-alt=")
    assert "[a](b)" not in body.replace(attribute, "") and "\\$x\\$" in caption and "\\`c\\`" in caption
    assert attribute.count('"') == 2
    [row] = [line for line in body.splitlines() if line.startswith("| ") and "onerror" in line][1:]
    assert row.replace("\\|", "").count("|") == 2


def test_wide_tables_scroll_and_narrow_ones_become_cards():
    narrow, wide = table(), Table("Wide.", pd.DataFrame({f"Column {number}": [1.0] for number in range(9)}))
    page = html_report("T", [Section("S", tables=[narrow, wide])])
    first, second = page.split('id="table-2"')
    assert "<table class=stacked>" in first and 'data-label="R2">0.46<' in first
    assert "stacked>" not in second.split("</figure>")[0]
    assert page.count('<div class="wide"') == 2


def test_folded_tables_have_their_first_sentence_as_summary():
    page = html_report("T", [Section("S", tables=[table(folded=True)])])
    assert "<summary>Table 1. A table of two</summary>" in page
    source = quarto_report("T", [Section("S", tables=[table(folded=True)])])
    assert 'collapse="true" title="A table of two"' in source
