"""The fields of a text file by columns, in Arrow's arrays: a million rows in as much memory as their text."""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, zip_longest

import pandas as pd
import pyarrow as pa

from soc_assets.ingest.soil.limits import Budget

_AT_ONCE = 500_000  # fields that are held as text of Python's

Row = tuple[int, list[str]]
"""Its number as a person counts from 1, and its fields."""


def body_of(rows: Iterator[Row], width: int, kept: Collection[int] | None, budget: Budget) -> pd.DataFrame:
    """The rows that are not blank; of the columns of the header those of `kept` alone, where it is given."""
    numbers: list[int] = []
    block: list[list[str]] = []
    columns, size = _Columns(width, kept, budget), 0
    for number, fields in chain(rows, [(0, [])]):
        if any(fields):
            numbers.append(number)
            block.append(fields)
            size += len(fields)
        if block and (size >= _AT_ONCE or not number):
            columns.add(block)
            size, block = 0, []
    return columns.frame().set_axis(pd.Index(numbers, dtype="int64"))


class _Columns:
    """Columns of text that grow by blocks of rows."""

    def __init__(self, width: int, kept: Collection[int] | None, budget: Budget) -> None:
        self._width, self._kept, self._budget = width, kept, budget
        self._arrays: dict[int, list[pa.Array]] = {}
        self._filled: dict[int, int] = {}
        self._rows, self._widest = 0, width

    def add(self, block: Sequence[Sequence[str]]) -> None:
        """Append rows; a column that begins here, or has a gap, is null in the rows before."""
        for place, cells in enumerate(zip_longest(*block)):
            self._widest = max(self._widest, place + 1)
            if self._kept is not None and place < self._width and place not in self._kept:
                continue
            array = pa.array(cells, pa.large_string())
            self._budget.text(0, array.nbytes, "it")
            self._pad(place, self._rows)
            self._arrays[place].append(array)
            self._filled[place] += len(array)
        self._rows += len(block)

    def frame(self) -> pd.DataFrame:
        """All columns by their places."""
        nothing = pd.Series(pd.arrays.ArrowExtensionArray(pa.nulls(self._rows)))
        found = {}
        for place in range(self._widest):
            if place not in self._arrays:
                found[place] = nothing
                continue
            self._pad(place, self._rows)
            found[place] = pa.chunked_array(self._arrays.pop(place)).to_pandas()
        return pd.DataFrame(found, index=range(self._rows))

    def _pad(self, place: int, rows: int) -> None:
        arrays, filled = self._arrays.setdefault(place, []), self._filled.setdefault(place, 0)
        if filled < rows:
            arrays.append(pa.nulls(rows - filled, pa.large_string()))
            self._filled[place] = rows
