"""What `soc import-tiles` reports at the end: what was written, what was not, what to add to soc.toml.

The import itself is in `soc_assets.legacy.import_tiles`.
"""

from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from soc_assets.legacy.import_tiles import Imported
from soc_assets.reporting.as_text import csv_safe
from soc_assets.settings import Rasters
from soc_assets.storage.files import write_text

CSV = "import-tiles.csv"
_SHOWN = 20  # rows of each table in the terminal; the CSV has all


def report(outcome: Imported, source: Path, rasters: Rasters, folder: Path, console: Console) -> None:
    """Write import-tiles.csv into the folder of rasters, and print the tables and what to do next."""
    remarks = remarks_of(outcome, source)
    write_text(folder / CSV, csv_safe(remarks).to_csv(index=False))
    console.print(_written(outcome, folder))
    if len(remarks):
        console.print(_remarks(remarks))
        console.print(f"All {len(remarks)} remarks: {folder / CSV}", soft_wrap=True, markup=False)
    for line in _next_steps(outcome, rasters):
        console.print(line, soft_wrap=True, markup=False)


def remarks_of(outcome: Imported, source: Path) -> pd.DataFrame:
    """What was set aside, and overlaps that differ: file (below `source`), outcome, reason."""
    rows = [(item.path, "set aside", item.reason) for item in outcome.aside]
    for raster in outcome.rasters:
        for path, overlap in (raster.mosaic.overlaps if raster.mosaic else {}).items():
            if overlap.different:
                reason = (
                    f"Differs from tiles of lower number, whose values are used, in {overlap.different} of "
                    f"{overlap.shared} shared pixels, by at most {overlap.largest:.6g}."
                )
                rows.append((path, "overlap", reason))
    names = [(path.relative_to(source).as_posix(), *rest) for path, *rest in rows]
    return pd.DataFrame(names, columns=["file", "outcome", "reason"])


def _written(outcome: Imported, folder: Path) -> Table:
    table = Table("raster", "tiles", "pixels", "without value", "", title=f"rasters in {escape(str(folder))}")
    for raster in outcome.rasters[:_SHOWN]:
        name = escape(raster.path.relative_to(folder).as_posix())
        if raster.mosaic is None:
            table.add_row(name, "", "", "", "there already: kept")
            continue
        pixels = raster.mosaic.height * raster.mosaic.width
        tiles = f"{raster.tiles} of {len(raster.step.tiles)}"
        size, holes = f"{raster.mosaic.height} x {raster.mosaic.width}", 1 - raster.mosaic.valid / pixels
        table.add_row(name, tiles, size, f"{holes:.1%}", "written")
    if len(outcome.rasters) > _SHOWN:
        table.add_row(f"... and {len(outcome.rasters) - _SHOWN} more", "", "", "", "")
    return table


def _remarks(remarks: pd.DataFrame) -> Table:
    table = Table("file", "outcome", "reason", title="not imported, or not all of it")
    for row in remarks.head(_SHOWN).itertuples(index=False):
        table.add_row(*(escape(str(cell)) for cell in row))
    return table


def _next_steps(outcome: Imported, rasters: Rasters) -> list[str]:
    kept = sum(raster.mosaic is None for raster in outcome.rasters)
    lines = [f"Rasters written: {len(outcome.rasters) - kept}; kept as they were: {kept}."]
    if kept:
        lines.append("Files that were there already are replaced with --overwrite.")
    if outcome.off_grid:
        lines.append(
            f"{outcome.off_grid} tiles lie between the pixels of the others. If only the numbers in their names are "
            "rounded, import again with --overwrite --tolerance and a value above the distances named (in pixels)."
        )
    kinds = {band.name: band.kind for band in rasters.bands}
    found = {(raster.step.band, raster.step.kind): None for raster in outcome.rasters}
    missing = [(band, kind) for band, kind in found if kinds.get(band) != kind]
    if missing:
        lines.append("Not among the bands of soc.toml; to use them, add to bands in [rasters]:")
    for band, kind in missing:
        instead = f"   # in place of the {kinds[band]} band of this name" if band in kinds else ""
        lines.append(f'  {{ name = "{band}", kind = "{kind}" }},{instead}')
    return lines
