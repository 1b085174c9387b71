"""What Dagster loads: the assets of soc_assets, and beside them your own, from the folder defs."""

from pathlib import Path

import dagster as dg

from soc_assets.definitions import defs as platform


@dg.definitions
def defs() -> dg.Definitions:
    """All of them."""
    return dg.Definitions.merge(platform, dg.load_from_defs_folder(path_within_project=Path(__file__).parent))
