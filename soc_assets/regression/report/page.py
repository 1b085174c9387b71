"""The report as one self-contained HTML page that runs no scripts and loads nothing from other servers."""

import base64
from collections.abc import Iterable
from pathlib import Path

from soc_assets.regression.report.sections import Section, Table, display, is_number, numbered

_STACKED = 7  # columns up to which a row becomes a card on a narrow screen; wider tables scroll inside themselves


def html_report(title: str, sections: Iterable[Section], subtitle: str = "") -> str:
    """The page, from the template page.html.j2; text is escaped, and a browser runs and fetches nothing for it.

    Args:
        title: its heading.
        sections: in order; those that hold nothing are left out. Figures and tables are numbered through all of them.
        subtitle: a line under the heading.

    Raises:
        ValueError: two figures have one name.
    """
    from jinja2 import Environment, FileSystemLoader

    folder = Path(__file__).parent
    page = Environment(loader=FileSystemLoader(folder), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page.filters |= {"base64": lambda content: base64.b64encode(content).decode()}
    return page.get_template("page.html.j2").render(
        title=title, subtitle=subtitle, parts=numbered(sections), cells=_cells, style=(folder / "page.css").read_text()
    )


def _cells(table: Table) -> dict[str, object]:
    """Names of the columns, rows of cells as text, which columns hold numbers, and how it behaves when it is narrow."""
    shown = display(table.rows)
    numbers = [any(column) and all(is_number(text) or not text for text in column) for _, column in shown.items()]
    return {
        "columns": list(shown),
        "rows": shown.to_numpy().tolist(),
        "numbers": numbers,
        "stacked": shown.shape[1] <= _STACKED,
    }
