"""Findings about how soil tables were read: what their columns may mean and was not understood."""

import pandas as pd

from soc_assets.ingest.check.findings import Finding

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
        Finding("columns", "warning", reference, "", str(file), note, _CURE.format(reference=reference))
        for file, notes in tables.reindex(columns=["file", "notes"]).fillna("").itertuples(index=False)
        for note in notes.splitlines()
    ]
