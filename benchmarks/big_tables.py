"""Soil tables of a million rows, or of thousands of columns: time against other readers of CSV, and peak memory.

    python -m benchmarks.big_tables [--rows 1000000] [--columns 5000] [--wide-rows 20000]

Invented soil samples of usual columns, and a table of spectra: the usual columns and thousands of numbers beside them.
`samples` is what the asset soil_samples does (`build_samples`: reading, judging, duplicates, ids). Each is done in a
fresh process, which tells its seconds, without those of starting and importing, and its largest memory; the same files
are read by pandas and by pyarrow in other processes, which keep all of their columns and judge nothing. A table of
more columns than `max_columns` has to be refused within seconds.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rasterio.crs import CRS
from rasterio.transform import from_origin

from benchmarks.bavaria_scale import own_peak_mb
from soc_assets.errors import SoilError
from soc_assets.geo.grid import Grid
from soc_assets.ingest.soil.samples import build_samples
from soc_assets.settings import Soil

GRID = Grid(CRS.from_epsg(4326), from_origin(8, 51, 0.0025, 0.0025), 2400, 1600)  # 47 to 51 N, 8 to 14 E
USUAL = "Point_ID,TH_LAT,TH_LONG,Depth,OC,SURVEY_DATE,LC0_Desc"
COVER = ("Cropland", "Grassland", "Woodland", "Shrubland")
BEYOND = 30_000  # columns, more than `max_columns`
_BLOCK = 20_000  # rows that are written at once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=5_000)
    parser.add_argument("--wide-rows", type=int, default=20_000)
    options = parser.parse_args()
    tables = {
        f"{options.rows // 4:,} rows": (options.rows // 4, 0),
        f"{options.rows:,} rows": (options.rows, 0),
        f"{options.wide_rows // 4:,} rows, {options.columns:,} columns": (options.wide_rows // 4, options.columns),
        f"{options.wide_rows:,} rows, {options.columns:,} columns": (options.wide_rows, options.columns),
        f"200 rows, {BEYOND:,} columns": (200, BEYOND),
    }
    print(f"{'table':<32}{'MB':>7}  {'by':<9}{'s':>8}{'MB/s':>8}{'ratio':>7}{'peak MB':>9}  found")
    for name, (rows, columns) in tables.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "big.csv"
            write_table(path, rows, columns)
            for line in measured(name, path):
                print(line, flush=True)


def write_table(path: Path, rows: int, columns: int = 0) -> None:
    """Write soil samples of distinct places; with `columns` so many in all, numbers of four places beside the usual."""
    stream = np.random.default_rng(0)
    more = max(columns - len(USUAL.split(",")), 0)
    spectrum = [f"{number / 1e4:.4f}" for number in range(1000, 9000)]
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join([USUAL, *(f"spc.{400 + 0.5 * number:g}" for number in range(more))]) + "\n")
        for start in range(0, rows, _BLOCK):
            size = min(_BLOCK, rows - start)
            latitude, longitude = stream.uniform(47.1, 50.9, size), stream.uniform(8.1, 13.9, size)
            carbon, days = stream.lognormal(2.8, 0.7, size), stream.integers(0, 3650, size)
            dates = np.datetime_as_string(np.datetime64("2009-01-01") + days)
            for row in range(size):
                known = f"{start + row},{latitude[row]:.6f},{longitude[row]:.6f},0-20 cm,{carbon[row]:.1f},{dates[row]}"
                noise = [spectrum[place] for place in stream.integers(0, len(spectrum), more)] if more else []
                file.write(",".join([known, COVER[row % len(COVER)], *noise]) + "\n")


def measured(name: str, path: Path) -> list[str]:
    """A line for each reader of one table."""
    size = path.stat().st_size / 1e6
    lines, ours = [], None
    for by, work in (("samples", samples_of), ("pandas", by_pandas), ("pyarrow", by_pyarrow)):
        took, peak, found = in_child(work, path)
        ours = ours or took
        ratio = "" if by == "samples" else f"{ours / took:.1f}"
        lines.append(f"{name:<32}{size:>7.1f}  {by:<9}{took:>8.2f}{size / took:>8.1f}{ratio:>7}{peak:>9.0f}  {found}")
    return lines


def samples_of(path: Path) -> str:
    """What the asset soil_samples makes of the folder of the table."""
    try:
        built = build_samples(path.parent, Soil(), timed=True, seasonal=False, grid=GRID)
    except SoilError as error:
        return " ".join(str(error).split("big.csv: ")[-1].split())[:70] + "..."
    return f"{len(built.samples):,} samples, {len(built.rejected):,} rows rejected"


def by_pandas(path: Path) -> str:
    """The table by pandas."""
    import pandas as pd

    return f"{len(pd.read_csv(path)):,} rows"


def by_pyarrow(path: Path) -> str:
    """The table by pyarrow."""
    from pyarrow import csv

    return f"{csv.read_csv(path).num_rows:,} rows"


def in_child(work: Callable[[Path], str], path: Path) -> tuple[float, float, str]:
    """Seconds, peak memory (MB) and the words of work in a fresh process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_tell, args=(theirs, work, path))
    process.start()
    theirs.close()
    told = ours.recv()
    process.join()
    return told


def _tell(connection, work: Callable[[Path], str], path: Path) -> None:
    start = time.perf_counter()
    found = work(path)
    connection.send((time.perf_counter() - start, own_peak_mb(), found))


if __name__ == "__main__":
    main()
