"""A user's script for a map against ours, the rows of `benchmarks.map`, on a smaller region."""

import argparse
from pathlib import Path

from benchmarks.map import maps_of, run, users_script
from benchmarks.map_region import documented, write_region
from benchmarks.peers_report import Row, table

SIZE, SAMPLES, CELLS = 256, 2000, 2048


def rows(folder: Path, size: int = SIZE, samples: int = SAMPLES, cells: int = CELLS) -> str:
    """The table: a point recipe with interval and dissimilarity against a quantile forest and nearest neighbours.

    Args:
        folder: for the region.
        size: pixels of its edge; each is a cell with 26 images.
        samples: training samples.
        cells: that the script is timed on.
    """
    project = write_region(folder / "region", size)
    name, each = users_script(maps_of(project, documented(project)), samples, cells)
    seconds, _ = run(folder / "region", "recipe", argparse.Namespace(recipe_samples=samples))
    nothing = float("nan")
    found = [
        Row("**ours: point recipe of five members**", seconds, nothing),
        Row(f"a user's script ({name})", each * size**2, nothing, f"{cells} cells timed, scaled up", "another model"),
    ]
    return table(f"a map of {size**2:,} cells, {samples:,} training samples", found)
