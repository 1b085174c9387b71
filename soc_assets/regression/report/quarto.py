"""The report as Quarto source: text, pipe tables, and the figures as files beside it, for `quarto render`.

Quarto (https://quarto.org) is not needed here, and numbers figures and tables itself, in the order of the page.
"""

import json
from collections.abc import Iterable, Iterator
from html import escape

from soc_assets.regression.report.sections import Figure, Section, Table, display, is_number, numbered
from soc_assets.reporting.as_text import markdown, plain


def quarto_report(title: str, sections: Iterable[Section], subtitle: str = "", figures: str = "figures") -> str:
    """The source, of the same sections as the page.

    Args:
        title: its heading.
        sections: in order; see `html_report`.
        subtitle: a line under it.
        figures: the folder of the pictures (`sections.pictures`), relative to the source.
    """
    lines = ["---", f"title: {json.dumps(title)}"]
    lines += [f"subtitle: {json.dumps(subtitle)}"] if subtitle else []
    lines += ["format:", "  html:", "    toc: true", "    embed-resources: true", "  pdf:", "    toc: true"]
    lines += ["    number-sections: true", "---", ""]
    for part in numbered(sections):
        lines += [f"## {_text(part.section.title)}", ""]
        for at, paragraph in enumerate(part.section.paragraphs):
            stressed = part.section.emphasis if at == 0 else ""
            lines += [*_paragraph(paragraph, stressed), ""]
        lines += [line for number, table in part.tables if not table.folded for line in (*_table(number, table), "")]
        for number, figure, stems in part.figures:
            lines += [*_figure(number, figure, [f"{figures}/{stem}.png" for stem in stems]), ""]
        lines += [line for number, table in part.tables if table.folded for line in (*_folded(number, table), "")]
    return "\n".join(lines)


def _paragraph(text: str, stressed: str) -> Iterator[str]:
    if not stressed:
        yield _text(text)
        return
    kind = "warning" if stressed == "warning" else "note"
    yield from (f'::: {{.callout-{kind} appearance="simple"}}', _text(text), ":::")


def _figure(number: int, figure: Figure, paths: list[str]) -> Iterator[str]:
    [(_, alt), *others] = figure.panels
    if not others:
        yield f"![{_text(figure.caption)}]({paths[0]}){{#fig-{number} fig-alt={_quoted(alt)}}}"
        return
    yield f"::: {{#fig-{number} layout-ncol=2}}"
    for letter, path, (_, words) in zip("abcdefghijklmnop", paths, figure.panels, strict=False):
        yield from ("", f"![{letter}]({path}){{fig-alt={_quoted(words)}}}")
    yield from ("", _text(figure.caption), ":::")


def _folded(number: int, table: Table) -> Iterator[str]:
    yield f'::: {{.callout-note collapse="true" title={_quoted(_text(table.summary))}}}'
    yield from _table(number, table)
    yield ":::"


def _table(number: int, table: Table) -> Iterator[str]:
    shown = display(table.rows)
    right = [any(column) and all(is_number(text) or not text for text in column) for _, column in shown.items()]
    yield _row([str(name) for name in shown])
    yield "|" + "|".join("---:" if numbers else ":---" for numbers in right) + "|"
    yield from (_row(row) for row in shown.to_numpy().tolist())
    yield from ("", f": {_text(table.caption)} {{#tbl-{number}}}")


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(_text(cell) for cell in cells) + " |"


def _text(text: str) -> str:
    """Text as Markdown that shows it, without formulas and shortcodes, which Quarto would evaluate."""
    return _no_shortcode(markdown(text).replace("$", "\\$"))


def _quoted(text: str) -> str:
    """Text as the value of an attribute, on one line: pandoc reads entities in it, but no markup."""
    return f'"{escape(_no_shortcode(" ".join(plain(text).split())))}"'


def _no_shortcode(text: str) -> str:
    return text.replace("{{", "{\u200b{")
