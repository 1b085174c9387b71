"""Findings about how soil tables were read: columns that may have a meaning which was not recognised."""

import pandas as pd

from soc_assets.ingest.soil.columns import ONE_DEPTH
from soc_assets.reporting.findings import Finding

_CURES = {
    "of another year": "If the dates are of another day (of the laboratory), rename their column in the file: then the "
    "year counts. Else correct the years.",
    "a day early": "Write the dates as local days without a time, 2015-07-06.",
    "holds signs": "Put the sign into the cell of its value (< 2.0), or move the column left of it.",
    "carbon by depth": ONE_DEPTH,
    "cm is wanted": "Set depth in an entry of [[soil.tables]] in soc.toml to the depth of these samples, or take the "
    "file out of the folder.",
}
"""The fix for a note that contains these words."""
_CURE = (
    "Name the columns in an entry of [[soil.tables]] in soc.toml, for example columns = {{ depth_upper = 'top', "
    "depth_lower = 'bottom' }}; or accept it by accept = [\"columns:{reference}\"] in [rasters]."
)


def column_findings(tables: pd.DataFrame, reference: str) -> list[Finding]:
    """A warning for each note on a table.

    Args:
        tables: how each table was read: `file` and `notes` (lines; "" where there is nothing to say).
        reference: the reference band, to which findings about samples belong.
    """
    return [
        Finding("columns", "warning", reference, "", str(file), note, _cure(note, reference))
        for file, notes in tables.reindex(columns=["file", "notes"]).astype("object").fillna("").itertuples(index=False)
        for note in notes.splitlines()
    ]


def _cure(note: str, reference: str) -> str:
    own = next((cure for words, cure in _CURES.items() if words in note), None)
    accept = f'Accept it by accept = ["columns:{reference}"] in [rasters].'
    return f"{own} {accept}" if own else _CURE.format(reference=reference)
