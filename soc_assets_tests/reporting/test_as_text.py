"""Text of strangers as text: spreadsheets, Markdown, the terminal, pictures."""

import io

import pandas as pd
import pytest
from rich.table import Table

from soc_assets.defs.ui import report
from soc_assets.reporting.as_text import PlainConsole, csv_safe, is_formula, label, markdown, plain
from soc_assets.reporting.figures import new_figure, to_png
from soc_assets.storage.names import fits, nfc


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1", "-9.5 g/kg"]
)
def test_formulas_get_an_apostrophe_once(text):
    assert is_formula(text)
    once = csv_safe(pd.DataFrame({"a": [text]}))
    assert once["a"].tolist() == [f"'{text}"]
    pd.testing.assert_frame_equal(csv_safe(once), once)


@pytest.mark.parametrize(
    "text", ["-5.3", "-5,3", "+1.000,5", "1e-3", "-1.5E+3", "-", "--", "-7 %", "+49 89 1", "a=1", ""]
)
def test_numbers_and_plain_text_stay(text):
    assert not is_formula(text)


def test_numbers_dates_and_nulls_of_a_table_stay_and_column_names_are_text():
    frame = pd.DataFrame({"=n": [-1.5, None], "t": ["@x", None], "d": pd.to_datetime(["2020-01-01", None])})
    safe = csv_safe(frame)
    assert list(safe.columns) == ["'=n", "t", "d"]
    assert safe.to_csv(index=False) == "'=n,t,d\n-1.5,'@x,2020-01-01\n,,\n"


def test_two_columns_of_one_name_are_both_made_safe():
    safe = csv_safe(pd.DataFrame([["=1", "=2"]], columns=["a", "a"]))
    assert safe.to_numpy().tolist() == [["'=1", "'=2"]]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>a|b</b>\n# x", r"&lt;b&gt;a\|b&lt;/b&gt; \# x"),
        ("mlp_chosen _c_", r"mlp_chosen \_c\_"),
        ("[x](http://e) ![i](y)", r"\[x\](http&#58;//e) \!\[i\](y)"),
        ("`c` **b**", r"\`c\` \*\*b\*\*"),
        ("- item", r"\- item"),
        ("-0.3", "-0.3"),
        ("1. x", r"1\. x"),
        ("a\x1b[1m", r"a\\x1b\[1m"),
    ],
)
def test_markdown_shows_text(text, shown):
    assert markdown(text) == shown


def test_table_of_dagster_has_as_many_cells_as_columns():
    page = report.table(pd.DataFrame({"a|b": ["x|y\nz", None], "n": [-0.25, 3]})).value
    assert page == "| a\\|b | n |\n| --- | --- |\n| x\\|y z | -0.25 |\n|  | 3.0 |"


def test_console_shows_text_and_obeys_nothing():
    file = io.StringIO()
    console = PlainConsole(file=file, force_terminal=True, color_system=None, width=60)
    table = Table("a")
    table.add_row("\x1b[31mred\x07 :boom:")
    table.add_row("two\nlines\u2028more")
    console.print(table)
    console.print("a.tif\nerror b\rc")
    console.print("x\x1b]0;title\x07 :smile: \x9b31m \u202egnp \udcff", markup=False)
    assert not any(sign in file.getvalue() for sign in "\x1b\x07\x9b\u202e\udcff")
    assert ":boom:" in file.getvalue() and ":smile:" in file.getvalue()
    lines = file.getvalue().splitlines()
    assert r"a.tif\nerror b\rc" in lines and r"│ two\nlines\u2028more │" in [line.replace("  ", "") for line in lines]
    assert len({len(line) for line in lines[:5]}) == 1  # the table keeps its frame
    assert plain("a\x1b[1m\udcff\nb\u00e4") == "a\\x1b[1m\\udcff\nb\u00e4"


def test_picture_takes_dollars_and_underscores_as_text():
    figure = new_figure(2, 2)
    axes = figure.subplots()
    name = label(r"_$\frac{1}{$ x")
    axes.barh([name, r"$\nonsense{$"], [1, 2], label=name)
    axes.set_title(r"$\frac$")
    assert axes.get_legend_handles_labels()[1] == [name]
    axes.legend()
    assert to_png(figure).startswith(b"\x89PNG")
    assert len(label("x" * 500)) < 70


def test_names_with_brackets_are_their_own_pattern_and_bytes_are_spelled():
    assert fits("[a] b*.csv", "[A] b*.csv") and fits("LC1", "lc*") and not fits("b", "[a]")
    assert nfc("a\udcff") == "a\\udcff" and nfc("a\u0308") == "\u00e4"
