"""What is said of a table for people: what is worth a look, what is left out, why it is not used."""

from pathlib import Path

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.carbon_depths import limits_of, listed
from soc_assets.ingest.soil.columns import depths_beside, is_total_carbon
from soc_assets.ingest.soil.depth_columns import like_depths
from soc_assets.ingest.soil.join_coordinates import Table
from soc_assets.reporting.as_text import one_line
from soc_assets.storage.names import nfc

_DEPTHS = ("depth", "depth_upper", "depth_lower")


def where_it_was_looked(table: Table) -> str:
    """What the row of names and hidden columns have to do with columns that are missing."""
    row = (
        f" The names were taken from row {table.header_row}: if they stand in another, set header_row of the file in "
        "[[soil.tables]]."
        if table.header_row is not None
        else ""
    )
    hidden = (
        f" Hidden in the workbook and left out: {table.left_out}; show what is needed, or name its column in soc.toml."
        if table.left_out
        else ""
    )
    return row + hidden


def hidden_rows(table: Table) -> list[dict[str, object]]:
    """The rows among the rejected ones that a workbook hides."""
    message = "the workbook hides this row, by hand, by a filter or in a closed group. Show it if it is a sample"
    source = nfc(table.path.stem)
    return [
        {"file": table.file, "row": row, "source": source, "reason": "hidden row", "detail": message}
        for row in table.hidden_rows
    ]


def notes_of(header: list[str], places: dict[str, int]) -> list[str]:
    """What is worth a look about the columns of a table."""
    notes, carbon = [], places.get("organic_carbon")
    if carbon is None:
        return notes
    if is_total_carbon(header[carbon]):
        notes.append(
            f"the column {header[carbon]!r} is read as organic carbon, but its name is that of total carbon, which "
            "holds the carbon of carbonates, too"
        )
    if {*_DEPTHS} & places.keys():
        return notes
    if (beside := depths_beside(header, carbon)) and limits_of(header[carbon]) is None:
        notes.append(f"{header[carbon]!r} is read, and {listed(header, beside)} hold carbon by depth and are not read")
    if strange := like_depths(header, {*places.values()}):
        notes.append(f"no depth is read, but names sound like depths or horizons: {', '.join(map(repr, strange))}")
    return notes


def refusal(path: Path, name: str, reason: str, error: SoilError) -> dict[str, object]:
    """The row among the rejected ones for a table that cannot be used."""
    return {
        "file": name,
        "row": None,
        "source": nfc(path.stem),
        "reason": reason,
        "detail": nfc(f"{one_line(name)}: {error}"),
    }
