"""From the folder of soil tables to the samples and the rejected rows: the whole of the asset `soil_samples`.

Files are read in `ingest.soil.read`, their text in `ingest.soil.rows`, rows judged in `ingest.soil.clean`; here all
are joined, and a folder without a usable row is explained.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from soc_assets.errors import SoilError
from soc_assets.geo.grid import Grid
from soc_assets.ingest.extent import describe_grid, describe_points
from soc_assets.ingest.soil.clean import REJECTED_COLUMNS, clean_samples
from soc_assets.ingest.soil.falling import falling_carbon, years_apart
from soc_assets.ingest.soil.join_coordinates import Table
from soc_assets.ingest.soil.limits import translated
from soc_assets.ingest.soil.read import read_soil_tables, refusal
from soc_assets.ingest.soil.rows import describe, rows_of
from soc_assets.reporting.as_text import one_line
from soc_assets.settings import Soil

CURES = {
    "no coordinates": "Name the columns of longitude and latitude in [soil.columns] of soc.toml if others hold them; "
    "where they stand beside the first horizon of a profile alone, fill the cells below, too.",
    "coordinates of another zone": "Give the rows of each zone a file of their own, and its crs in [[soil.tables]].",
    "another table below": "Give each table a sheet or file of its own.",
    "coordinates outside the world": "Give the CRS of the file's coordinates by crs in [[soil.tables]] of soc.toml.",
    "coordinates outside the CRS": "Correct crs in [[soil.tables]] of soc.toml.",
    "outside the rasters": "Coordinates must be WGS84 degrees or in the crs of [[soil.tables]], longitude and latitude "
    "not exchanged; or the rasters are of another region ([paths] rasters in soc.toml).",
    "below detection limit": 'Half of a stated limit is taken with [soil] below_detection = "half_limit" in soc.toml.',
    "no date": "Name the date's column in [soil.columns] survey_date of soc.toml, or give the year of a file's samples "
    "in [[soil.tables]] (seasonal bands need dates); static bands alone need none.",
    "unit not understood": "Write g/kg, %, ‰, mg/g or mg/kg into the column of units, or set unit in [[soil.tables]].",
    "profile covers too little of the depth": "The share that horizons must cover is [soil] min_cover in soc.toml.",
    "depth not understood": "Write depths as 0-20 (cm), 0-0.2 m or in two columns of limits, or leave the cells empty.",
    "depth not topsoil": 'Another depth is kept with [soil] depth = "0-30", "topsoil" (any that begins at 0) or "any".',
}
"""What helps against a reason for which rows are rejected."""


@dataclass(frozen=True)
class SoilSamples:
    """Every row of the soil tables, once."""

    samples: pd.DataFrame
    """Usable rows: columns `ingest.soil.clean.SAMPLE_COLUMNS`, by sample_id."""
    rejected: pd.DataFrame
    """The others and the files that cannot be used (row null): file, row, source, reason, detail."""
    tables: pd.DataFrame
    """How each table was read: the keys of `ingest.soil.rows.describe`."""


def build_samples(folder: Path, soil: Soil, *, timed: bool, seasonal: bool, grid: Grid) -> SoilSamples:
    """Read and clean all soil tables of a folder.

    Args:
        folder: holds the files; see `ingest.soil.files.READ`.
        soil: how they are read.
        timed: whether any band has time, so that samples need a date or a year.
        seasonal: whether any band is seasonal, so that samples need a date.
        grid: the reference grid, on which samples must lie.

    Raises:
        SoilError: the folder is missing or holds no usable table, or no row is usable; counts the reasons.
    """
    tables, refused = read_soil_tables(folder, soil)
    filled = [table for table in tables if len(table.frame)]
    if not filled:
        hidden = sum(len(table.hidden_rows) for table in tables)
        but = f", but for {hidden} rows that workbooks hide: show these in the program that hid them" if hidden else ""
        raise SoilError(f"The soil tables in {folder} have headers but no rows{but}. Put rows with samples into them.")
    rows, strange = _rows(filled)
    refused = pd.concat([refused, strange], ignore_index=True) if len(strange) else refused
    if rows.empty:
        raise SoilError(f"No soil table in {folder} can be used:\n" + "\n".join(refused["detail"]))
    samples, rejected = clean_samples(rows, soil, timed=timed, seasonal=seasonal, grid=grid)
    if samples.empty:
        raise SoilError(_no_sample(folder, rejected, grid))
    rejected = pd.concat([rejected, refused], ignore_index=True) if len(refused) else rejected
    types = {"row": "Int64", **dict.fromkeys(("file", "source", "reason", "detail"), "str")}
    rejected = rejected.reindex(columns=list(REJECTED_COLUMNS)).astype(types)
    notes = [falling_carbon(rows), years_apart(rows)]
    tables = [
        _with_notes(describe(table), [of.get(table.file) for of in notes])
        for table in filled
        if table.file in set(rows["file"])
    ]
    return SoilSamples(samples, rejected, pd.DataFrame(tables))


def _with_notes(described: dict[str, object], notes: Sequence[str | None]) -> dict[str, object]:
    return {**described, "notes": "\n".join(filter(None, (str(described["notes"]), *notes)))}


def _rows(tables: list[Table]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of all tables, and the tables whose CRS or dates cannot be understood."""
    rows, refused = [], []
    for table in tables:
        try:
            with translated("its values cannot be understood", "Save it again as CSV, and look at its cells."):
                rows.append(rows_of(table))
        except SoilError as error:
            refused.append(refusal(table.path, table.file, "values not understood", error))
    joined = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()
    return joined, pd.DataFrame(refused)


def _no_sample(folder: Path, rejected: pd.DataFrame, grid: Grid) -> str:
    """Why no row is usable: counts and an example by reason, and where points and rasters lie."""
    lines = [f"None of the {len(rejected)} rows of the soil tables in {folder} can be used:"]
    for reason, count in rejected["reason"].value_counts().items():
        example = rejected[rejected["reason"] == reason].iloc[0]
        first = f"{one_line(str(example['file']))} row {example['row']}: {example['detail']!r}"
        lines.append(f"  - {count} {reason} (first: {first})")
    outside = rejected.loc[rejected["reason"] == "outside the rasters", "detail"].str.split(", ", expand=True)
    if len(outside):
        place = outside.astype(float)
        lines.append(
            f"The rasters cover {describe_grid(grid)}; the points outside lie within {describe_points(place)}."
        )
    cures = [cure for reason, cure in CURES.items() if reason in set(rejected["reason"])]
    return "\n".join([*lines, *cures])
