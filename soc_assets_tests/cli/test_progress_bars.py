"""How progress is drawn: the time left stands in bars and lines, and is missing where nothing is known."""

from io import StringIO

from rich.console import Console

from soc_assets.cli.progress_bars import Lines, bars
from soc_assets.runtime import progress
from soc_assets.runtime.progress import Progress


def console(terminal: bool) -> Console:
    return Console(file=StringIO(), force_terminal=terminal, width=160, color_system=None)


def test_lines_end_with_the_time_left_where_it_is_known():
    shown = console(terminal=False)
    lines = Lines(shown)
    lines(Progress("evaluation", 1, 9, "ridge on point"))
    lines._last.clear()
    lines(Progress("evaluation", 2, 9, "ridge on point", left=700.0))
    lines(Progress("features", 1, 2, left=30.0))
    assert [line.rstrip() for line in shown.file.getvalue().splitlines()] == [
        "evaluation: 1 of 9  ridge on point",
        "evaluation: 2 of 9  ridge on point, about 12 min left",
        "features: 1 of 2  about 30 s left",
    ]


def test_bars_have_done_of_total_and_the_time_left_until_the_end():
    shown = console(terminal=True)
    with bars(shown), progress.of("map"):
        progress.report(3, 10, "tile [1] of 4", left=3 * 3600.0)
    assert "3/10" in shown.file.getvalue() and "about 3.0 h left" in shown.file.getvalue()
    assert "tile [1] of 4" in shown.file.getvalue()
    ended = console(terminal=True)
    with bars(ended), progress.of("map"):
        progress.report(10, 10, "tile 4 of 4")
    assert "10/10" in ended.file.getvalue() and " left" not in ended.file.getvalue()
