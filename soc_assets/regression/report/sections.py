"""What a report is made of, whatever it is written as: sections of paragraphs, figures and tables with captions.

The page (`page`) and the Quarto source (`quarto`) render the same sections, and `display` says how a number is shown in
both: no number is written twice. Whoever has something to report makes a `Section` and puts it into the sequence.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

_NUMBER = re.compile(r"[-+\u2212]?[\d,]*\.?\d+( to [-+\u2212]?[\d,]*\.?\d+)?( ?%)?")
_THOUSANDS = 10_000  # from here on with separators: below, a number may be a year


@dataclass(frozen=True)
class Table:
    """A table with its caption.

    Attributes:
        caption: what is shown, n, which folds, what the intervals are; without a number, which the report gives.
        rows: the columns named in words, with their units; see `display` for the numbers.
        folded: whether it is a detail that the page folds away; it comes after the others of its section.
    """

    caption: str
    rows: pd.DataFrame
    folded: bool = False

    @property
    def summary(self) -> str:
        """The first sentence of the caption, for what is folded away."""
        return self.caption.split(". ")[0].removesuffix(".")


@dataclass(frozen=True)
class Figure:
    """A picture with its caption.

    Attributes:
        caption: as of a table.
        png: its bytes, drawn 5 inches wide, so that its text can be read on a telephone.
        alt: what it shows, for whoever does not see it.
        name: of its file, without suffix; the report makes one where there is none.
        beside: further panels, PNG bytes and alternative text, which stand beside it where there is room.
    """

    caption: str
    png: bytes
    alt: str
    name: str = ""
    beside: tuple[tuple[bytes, str], ...] = ()

    @property
    def panels(self) -> list[tuple[bytes, str]]:
        """PNG bytes and alternative text of all panels."""
        return [(self.png, self.alt), *self.beside]


@dataclass(frozen=True)
class Section:
    """A part of the report; it may leave out whatever it has no data for.

    Attributes:
        title: heading, in words.
        paragraphs: text, without markup.
        tables: in order; those that are not folded come before the figures.
        figures: in order.
        emphasis: what kind of statement its first paragraph is: a verdict, or one that warns.
    """

    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    emphasis: Literal["", "verdict", "warning"] = ""

    def __bool__(self) -> bool:
        """Whether there is anything in it."""
        return bool(self.paragraphs or self.tables or self.figures)


@dataclass(frozen=True)
class Numbered:
    """A section with the numbers of what is in it, counted through the whole report, and the names of its pictures."""

    number: int
    section: Section
    figures: list[tuple[int, Figure, list[str]]] = field(default_factory=list)
    tables: list[tuple[int, Table]] = field(default_factory=list)


def numbered(sections: Iterable[Section]) -> list[Numbered]:
    """Sections that hold something, with their figures and tables numbered from 1 in the order in which they are read.

    Raises:
        ValueError: two figures have one name.
    """
    result, figures, tables, names = [], 0, 0, set()
    for section in filter(None, sections):
        of_section = Numbered(len(result) + 1, section)
        for figure in section.figures:
            figures += 1
            name = figure.name or f"figure_{figures}"
            stems = [name, *(f"{name}_{chr(ord('b') + at)}" for at in range(len(figure.beside)))]
            if twice := names.intersection(stems):
                raise ValueError(f"two figures are called {twice.pop()}")
            names.update(stems)
            of_section.figures.append((figures, figure, stems))
        for table in sorted(section.tables, key=lambda table: table.folded):
            tables += 1
            of_section.tables.append((tables, table))
        result.append(of_section)
    return result


def pictures(sections: Iterable[Section]) -> dict[str, bytes]:
    """Every picture of a report by the name of its file."""
    every = ((figure, stems) for part in numbered(sections) for _, figure, stems in part.figures)
    return {stem: png for figure, stems in every for stem, (png, _) in zip(stems, figure.panels, strict=True)}


def display(rows: pd.DataFrame) -> pd.DataFrame:
    """A table as text: three significant digits or so, one number of decimals in each column, nothing for NaN.

    >>> display(pd.DataFrame({"R2": [0.4432, float("nan")], "n": [760, 12345]})).to_dict("list")
    {'R2': ['0.44', ''], 'n': ['760', '12,345']}
    """
    return pd.DataFrame({str(name): list(_texts(column)) for name, column in rows.items()}, dtype="object")


def is_number(text: str) -> bool:
    """Whether a cell holds a number or an interval and stands at the right of its column."""
    return bool(_NUMBER.fullmatch(text))


def _texts(column: "pd.Series[Any]") -> Iterator[str]:
    decimals = _decimals(column)
    for value in column:
        if value is None or value is pd.NA or value != value:
            yield ""
        elif isinstance(value, bool) or pd.api.types.is_bool_dtype(column):
            yield "yes" if value else "no"
        elif isinstance(value, float):
            yield rounded(value, decimals)
        elif isinstance(value, int):
            yield f"{value:,}" if abs(value) >= _THOUSANDS else str(value)
        else:
            yield str(value)


def _decimals(column: "pd.Series[Any]") -> int:
    numbers = [abs(value) for value in column if isinstance(value, float) and value == value]
    most = max(numbers, default=0.0)
    return 0 if most >= 100 else 1 if most >= 10 else 2


def interval(low: float, high: float, decimals: int = 2) -> str:
    """Both ends of an interval as one cell; empty where there is none.

    >>> interval(0.387, 0.5), interval(float("nan"), 1)
    ('0.39 to 0.50', '')
    """
    if low != low or high != high:
        return ""
    return f"{rounded(low, decimals)} to {rounded(high, decimals)}"


def rounded(value: float, decimals: int = 2) -> str:
    """A number with so many decimals, never minus zero; empty for NaN."""
    if value != value:
        return ""
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if not float(text.replace(",", "")) else text


def in_words(facts: Mapping[str, Any]) -> pd.DataFrame:
    """Facts as a table of two columns, `Item` and `Value`; those without a value are left out."""
    kept = {name: value for name, value in facts.items() if value not in (None, "")}
    return pd.DataFrame({"Item": list(kept), "Value": [str(value) for value in kept.values()]})
