"""Organic carbon whose cells say per cent themselves: formatted so in a workbook, or 2,1 % as text.

That they say so decides the unit (`ingest.soil.carbon_units`); here the sign is found, and taken off the numbers.
"""

from dataclasses import replace

import pandas as pd

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.carbon_units import BY_CELLS
from soc_assets.ingest.soil.join_coordinates import Table
from soc_assets.ingest.soil.values import below_detection, to_numbers

_PERCENT = r"\s*%$"


def first_percent(text: pd.Series) -> tuple[int, str] | None:
    """Row and text of the first cell [n] that says per cent.

    Args:
        text: stripped cells of a column; the index is the row of the file.
    """
    marked = text[text.str.contains(_PERCENT, regex=True)]
    return (int(marked.index[0]), str(marked.iloc[0])) if len(marked) else None


def settle_percents(table: Table) -> Table:
    """The table with numbers alone where its cells of organic carbon say per cent.

    Raises:
        SoilError: only some of the cells say per cent, and nothing else tells the unit of the others.
    """
    text, column = table.frame["organic_carbon"], table.columns.get("organic_carbon")
    marked = text.str.contains(_PERCENT, regex=True)
    if not marked.any():
        return table
    bare = text.str.replace(_PERCENT, "", regex=True)
    others = ~marked & (to_numbers(bare, table.decimal_comma).notna() | below_detection(bare, table.decimal_comma)[0])
    if table.unit.said_by == BY_CELLS and others.any():
        first, plain = (table.frame["row"][which].iloc[0] for which in (marked, others))
        raise SoilError(
            f"some cells of the column {column!r} say per cent (row {first}: {text[marked].iloc[0]!r}) and others do "
            f"not (row {plain}: {text[others].iloc[0]!r}). Give them one format, or, where all are per cent, set unit "
            "= '%' in an entry of [[soil.tables]] in soc.toml."
        )
    return replace(table, frame=table.frame.assign(organic_carbon=bare))
