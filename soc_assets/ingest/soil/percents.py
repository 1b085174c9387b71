"""Organic carbon whose cells say per cent themselves: formatted so in a workbook, or 2,1 % as text."""

from dataclasses import replace

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.borrowing import Table
from soc_assets.ingest.soil.values import below_detection, to_numbers

_PERCENT = r"\s*%$"


def settle_percents(table: Table) -> Table:
    """The table with numbers alone, in the unit that its cells say.

    Raises:
        SoilError: `unit` in soc.toml says otherwise, or only some of the cells say per cent and nothing tells of the
            others.
    """
    text, how, column = table.frame["organic_carbon"], table.reading.how, table.columns.get("organic_carbon")
    marked = text.str.contains(_PERCENT, regex=True)
    if not marked.any():
        return table
    bare = text.str.replace(_PERCENT, "", regex=True)
    first, told = table.frame["row"][marked].iloc[0], text[marked].iloc[0]
    stated = "unit" in how.model_fields_set and how.unit is not None
    if stated and not str(how.unit).endswith("%"):
        raise SoilError(
            f"the column {column!r} holds per cent (row {first}: {told!r}), but {table.reading.section} of soc.toml "
            f"says unit = {how.unit!r}. Take unit out, or give the cells the format of plain numbers."
        )
    others = ~marked & (to_numbers(bare, table.decimal_comma).notna() | below_detection(bare, table.decimal_comma)[0])
    if not stated and others.any():
        plain = table.frame["row"][others].iloc[0]
        raise SoilError(
            f"some cells of the column {column!r} say per cent (row {first}: {told!r}) and others do not (row {plain}: "
            f"{text[others].iloc[0]!r}). Give them one format, or, where all are per cent, set unit = '%' in an entry "
            "of [[soil.tables]] in soc.toml."
        )
    unit = how.unit if stated else "%"
    reading = replace(table.reading, how=how.model_copy(update={"unit": unit}))
    return replace(table, frame=table.frame.assign(organic_carbon=bare), reading=reading)
