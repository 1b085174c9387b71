"""Rows below the header that are not samples: means at the end of a table, and a second table under the first."""

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from soc_assets.ingest.soil.columns import find_columns
from soc_assets.ingest.soil.headers import plain
from soc_assets.ingest.soil.values import is_missing, to_numbers
from soc_assets.settings import SoilColumns

SUMMARY = "summary row"
SECOND_TABLE = "another table below"
"""Reasons why such rows are rejected."""
LABELS = 3
"""Cells at the beginning of a row, among which the word of a summary stands."""

_SUMMARY = re.compile(
    r"(grand |sub)?(mean|average|avg|mittel|mittelwert|mw|ø|durchschnitt|median|sum|summe|total|gesamt|insgesamt|min"
    r"|minimum|max|maximum|std|stdev|sd|stabw|standardabweichung|varianz|variance|count|anzahl|moyenne|somme|media|cv"
    r"|range|spannweite|quartile?|(arith\w*|geom\w*) ?(mean|mittel\w*)|standard deviation|standard error|se)"
    r"(?: ?\(?n ?= ?\d+\)?)?[.:]?"
)
_MOST_SEEN = 200  # rows of words where coordinates should be that are looked at
_FEWEST = 2  # fields that a row names, so that it is one of names


def odd_rows(
    body: pd.DataFrame, places: Mapping[str, int], header: Sequence[str], columns: SoilColumns
) -> pd.DataFrame:
    """What is odd about rows [n]: `odd`, a reason or "", and `odd_detail`.

    Args:
        body: the cells below the names, index = row of the file.
        places: position of each recognised column.
        header: the names.
        columns: those that soc.toml names.
    """
    found = pd.DataFrame({"odd": "", "odd_detail": ""}, body.index, dtype="str")
    if not {"longitude", "latitude"} <= places.keys() or body.empty:
        return found
    text = {field: _text(body.iloc[:, places[field]]) for field in ("longitude", "latitude")}
    for row in _rows_of_names(body, text, columns):
        names = list(_cells(body, row))
        if all(plain(name) in ("", plain(own)) for name, own in zip(names, header, strict=False)):
            continue  # the same names again, as on every printed page: rejected for want of coordinates
        below = found.index >= row
        found.loc[below, "odd"] = SECOND_TABLE
        found.loc[below, "odd_detail"] = (
            f"row {row} holds other names ({', '.join(filter(None, names))}): give the table that begins there a sheet "
            "or file of its own"
        )
        break
    return _with_summaries(found, body, text, places)


def _rows_of_names(body: pd.DataFrame, text: Mapping[str, pd.Series], columns: SoilColumns) -> list[int]:
    words = [cells.ne("") & ~cells.str.contains(r"\d", regex=True) for cells in text.values()]
    possible = body.index[words[0] & words[1] & ~is_missing(text["longitude"])][:_MOST_SEEN]
    named: dict[tuple[str, ...], bool] = {}
    for row in possible:
        names = _cells(body, row)
        if names not in named:
            # two columns for one field are told of the first table only; here names are what counts
            fields = find_columns(list(names), columns, same=lambda one, other: True)
            named[names] = len(fields) >= _FEWEST and bool({"longitude", "latitude", "organic_carbon"} & fields.keys())
    return [int(row) for row in possible if named[_cells(body, row)]]


def _with_summaries(
    found: pd.DataFrame, body: pd.DataFrame, text: Mapping[str, pd.Series], places: Mapping[str, int]
) -> pd.DataFrame:
    """Mark the means, sums and the like that stand behind the last sample."""
    labels = pd.Series("", body.index, dtype="str")
    for place in [*([places["id"]] if "id" in places else []), *range(min(LABELS, body.shape[1]))]:
        labels = labels.mask(labels == "", _text(body.iloc[:, place]))  # what a row is called, by its first filled cell
    labels = labels.where(labels.str.casefold().str.fullmatch(_SUMMARY).astype(bool), "")
    if (labels == "").all():
        return found
    placed = to_numbers(text["longitude"], True).notna() & to_numbers(text["latitude"], True).notna()
    samples = body.index[placed & (labels == "") & (found["odd"] == "")]
    marked = (labels != "") & (found["odd"] == "") & (body.index > (samples.max() if len(samples) else -1))
    return found.assign(odd=found["odd"].mask(marked, SUMMARY), odd_detail=found["odd_detail"].mask(marked, labels))


def _cells(body: pd.DataFrame, row: int) -> tuple[str, ...]:
    return tuple(_text(body.loc[[row]].iloc[0]))


def _text(cells: pd.Series) -> pd.Series:
    return cells.astype("str").fillna("").str.strip()
