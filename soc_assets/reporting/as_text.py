"""Third-party text is shown as plain text: in a terminal, in Markdown, in a figure, in a spreadsheet.

File names, columns, ids, regions and parts of the target are untrusted. HTML and SQL are quoted where they are
made (`html.escape`, `features.sql.tables.quoted` and `literal`).
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

if TYPE_CHECKING:
    import pandas as pd

_STEERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters except tab and newline, other line separators, bidirectional controls, invalid UTF-8."""
_LONGEST = 60  # characters of a name in a figure
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_NUMBER = re.compile(r"\s*[+-]?(\d[\d., '\u2019\u00a0\u202f]*|[.,]\d+)([eE][+-]?\d+)?\s*%?\s*|\s*[+-]+\s*")
_MARKUP = re.compile(r"[\\`*\[\]|~!#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^\s*(?:[-+]|\d+[.)])(?=\s)")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def plain(text: str) -> str:
    r"""Text without terminal or bidirectional controls: ESC becomes the four letters \x1b."""
    return _STEERS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    r"""`plain`, with \n and \t for what ends a line or moves along it: no name begins a line of its own."""
    return plain(text).replace("\n", "\\n").replace("\t", "\\t")


def is_unicode(name: str) -> bool:
    """Whether a file's name can be written down: Python keeps bytes that are not UTF-8 as halves of characters."""
    return not re.search("[\ud800-\udfff]", name)


class PlainConsole(Console):
    """A console of rich on which text from strangers steers nothing: no control sequences, no emoji for :names:.

    Each text that is printed, and each cell of a table, is one line.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"emoji": False, "highlight": False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """Every string that is printed or is in a table passes here, before its width is measured."""
        return super().render_str(one_line(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Every piece of text that rich prints passes here, its own control codes marked as such.

        What has not come as a string is measured already, so what steers is left out, not written in letters.
        """
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(_STEERS.sub("", segment.text), segment.style)


def markdown(text: str) -> str:
    """Text as Markdown that shows it: no link, figure, HTML, code or table cell begins or ends in it, on one line."""
    one_line = " ".join(plain(text).split())
    escaped = _MARKUP.sub(lambda found: found[0][:-1] + "\\" + found[0][-1], one_line)
    entities = "".join(_ENTITIES.get(char, char) for char in escaped)
    return entities.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")  # no link by itself


def label(text: str) -> str:
    """A name in a figure, where a leading _ would leave it out of the legend; `figures.to_png` takes $ as text."""
    shown = " ".join(plain(str(text)).split())
    shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
    return f" {shown}" if shown.startswith("_") else shown


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would evaluate the cell instead of showing it; numbers stay numbers."""
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)


def cell(value: Any) -> Any:
    """A value of a CSV file: text that a spreadsheet would evaluate is prefixed with an apostrophe."""
    return f"'{value}" if isinstance(value, str) and is_formula(value) else value


def csv_safe(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A table for a CSV file that people open in a spreadsheet: `cell` of every text and of every column's name."""
    safe = frame.rename(columns=cell)
    for at, column in enumerate(frame.dtypes):
        if column.kind not in "biufcmM":
            safe.isetitem(at, frame.iloc[:, at].map(cell, na_action="ignore").array)
    return safe


def percent(share: float, decimals: int | None = None) -> str:
    """A share as per cent, with so many decimals or as many as it takes; empty for NaN.

    >>> percent(0.9), percent(0.975), percent(0.975, 0)
    ('90 %', '97.5 %', '98 %')
    """
    if share != share:
        return ""
    return f"{100 * share:g} %" if decimals is None else f"{100 * share:.{decimals}f} %"
