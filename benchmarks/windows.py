"""Windows round samples: ours against one read per sample and band, and against reading the same blocks once.

    python -m benchmarks.windows [--samples 960 4096] [--reference-samples 96] [--repeats 3]

(a) reference: with every raster open as a warped view of the reference grid, one windowed read per sample and image, as
most pipelines do it. Timed on a few samples and counted for all, as no read depends on another.
(b) ours: the platform's `TileCache`, from an empty cache, batch by batch and raster by raster: every window [96, 96] of
every sample and image as an array of its own. Rasters side by side in threads, as the embedder does it.
(c) floor: rasterio reads all blocks of every raster that (b) reads, once, one after another, and resamples nothing.
(d) floor with resampling: every raster once, whole, as the warped view that (a) reads windows of.

Twice: with the demo's rasters as they are, in three CRS and four pixel sizes, where (b) resamples and (c) does not; and
with the same rasters brought to the reference grid beforehand, where both read the same pixels. Prints a/b (at least
10), b/c and b/d (at most 2), where the time of (b) goes, what the shares of valid pixels of all windows cost beside it
(neither (a) nor (c) has them), and the largest difference between (a) and (b): of pixels that have a value in both, in
standard deviations of the band.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from benchmarks.embed_cpu import MARGIN, catalogued, draw, prepare, warped
from soc_assets.embedding.inputs import EmbeddingInputs, freeze_spec, read_inputs
from soc_assets.embedding.tile_cache import TileCache
from soc_assets.embedding.windows import corners
from soc_assets.geo.grid import Grid
from soc_assets.rasters.mosaic import StepMosaic
from soc_assets.rasters.steps import groups, step_numbers

SIZE = 96


@dataclass(frozen=True)
class Wanted:
    """The windows that a batch takes from one raster."""

    band: str
    mosaic: StepMosaic
    samples: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--samples", type=int, nargs="+", default=[960, 4096])
    arguments.add_argument("--reference-samples", type=int, default=96)
    arguments.add_argument("--repeats", type=int, default=3)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        as_they_are, aligned = Path(name) / "demo", Path(name) / "aligned"
        as_they_are.mkdir()
        project = prepare(as_they_are)
        every = read_inputs(project, freeze_spec(project))
        bring_to_grid(as_they_are, aligned, every.raster_index.grid)
        print(f"{os.cpu_count()} cores; seconds")
        columns = ("samples", "windows", "(a)", "(b)", "(c)", "(d)", "a/b", "b/c", "b/d")
        print("".join(f"{name:>8}" for name in columns), "  of (b): fields, windows; beside it: shares")
        for words, folder in (("rasters as they are", as_they_are), ("on the reference grid", aligned)):
            project = catalogued(folder)
            every = read_inputs(project, freeze_spec(project))
            print(words)
            for n in options.samples:
                print(compare(draw(every, n), options.reference_samples, options.repeats), flush=True)
            print(difference(every, options.reference_samples))


def bring_to_grid(source: Path, target: Path, grid: Grid) -> None:
    """A copy of the project whose rasters all have the pixels of the reference grid."""
    shutil.copytree(source / "data/soil", target / "data/soil")
    (target / "soc.toml").write_text("")
    for path in sorted((source / "data/rasters").rglob("*.tif")):
        place = {"crs": grid.crs, "transform": grid.transform, "width": grid.width, "height": grid.height}
        with rasterio.open(path) as dataset:
            profile = {**dataset.profile, **place}
            with WarpedVRT(dataset, resampling=Resampling.bilinear, **place) as view:
                values = view.read(1)
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with rasterio.open(copy, "w", **profile) as dataset:
            dataset.write(values, 1)


def compare(inputs: EmbeddingInputs, reference_samples: int, repeats: int) -> str:
    """One line of the table."""
    batches = [list(wanted(inputs, key)) for key in inputs.keys]
    windows = sum(len(item.rows) for batch in batches for item in batch)
    chosen = reference(inputs, reference_samples)
    paths = sorted({path_of(item) for batch in batches for item in batch})
    slow = seconds(lambda: [read_one(*window) for window in chosen]) / len(chosen) * windows  # once: far from its limit
    runs = [
        (
            seconds(lambda: take(inputs, batches)),
            seconds(lambda: take(inputs, batches, windows=False)),
            seconds(lambda: take(inputs, batches, shares=True)),
            seconds(lambda: read_all(paths)),
            seconds(lambda: warp_all(paths, inputs.raster_index.grid)),
        )
        for _ in range(repeats)
    ]
    ours, fields, shares, floor, resampled = (min(times) for times in zip(*runs, strict=True))
    numbers = [slow, ours, floor, resampled, slow / ours, ours / floor, ours / resampled]
    cells = [f"{len(inputs.samples):8}{windows:8}", *(f"{number:8.2f}" for number in numbers)]
    return "".join(cells) + f"   {fields:.2f} s, {max(ours - fields, 0):.2f} s; {max(shares - ours, 0):.2f} s"


def path_of(item: Wanted) -> str:
    """The step's only file."""
    return item.mosaic.tiles[0].source.path


def wanted(inputs: EmbeddingInputs, key: str) -> Iterator[Wanted]:
    """What a batch asks of each raster, once for all its lags, as the embedder asks."""
    samples = inputs.samples[inputs.samples["batch"] == key].reset_index(drop=True)
    rows, columns = corners(samples, inputs.raster_index.grid, SIZE, "center")
    asked: dict[tuple, list[np.ndarray]] = {}
    for slot in inputs.spec.band_slots:
        for step, positions in groups(step_numbers(slot, samples), slot.kind):
            if (slot.name, step) in inputs.raster_index.mosaics:
                asked.setdefault((slot.name, step), []).append(positions)
    for (band, step), parts in asked.items():
        members = np.concatenate(parts)
        yield Wanted(band, inputs.raster_index.mosaics[band, step], members, rows[members], columns[members])


def take(inputs: EmbeddingInputs, batches: list[list[Wanted]], windows: bool = True, shares: bool = False) -> None:
    """The fields in which the windows of all batches lie, and the windows, and their shares of valid pixels."""
    fields = TileCache(inputs.raster_index.grid, SIZE, "center", cache_mb=1024, filtered=False)

    def ask(item: Wanted) -> None:
        for index in fields.windows_in_tiles(
            item.mosaic, item.rows, item.columns, inputs.spec.statistics[item.band].mean
        ):
            if windows:
                fields.blocks(index, 0, 0, SIZE)
            if shares:
                fields.shares(index)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for batch in batches:
            list(threads.map(ask, batch))


def reference(inputs: EmbeddingInputs, count: int) -> list[tuple]:
    """Open raster, row and column of each window of a few samples."""
    few = inputs.samples.iloc[:: max(1, len(inputs.samples) // count)]["sample_id"].head(count)
    views: dict[str, object] = {}
    chosen = []
    for key in inputs.keys:
        samples = inputs.samples[inputs.samples["batch"] == key].reset_index(drop=True)
        is_few = samples["sample_id"].isin(few).to_numpy()
        for item in wanted(inputs, key):
            path = path_of(item)
            for n in np.flatnonzero(is_few[item.samples]):
                if path not in views:
                    views[path] = warped(path, inputs.raster_index.grid)
                chosen.append((views[path], int(item.rows[n]), int(item.columns[n]), item))
    return chosen


def read_one(view, row: int, column: int, _: Wanted) -> np.ndarray:
    """One window as (a) reads it, NaN where there is no value."""
    pixels = view.read(1, window=Window(column + MARGIN, row + MARGIN, SIZE, SIZE), masked=True)
    return np.ma.filled(pixels.astype(np.float32), np.nan)


def read_all(paths: list[str]) -> None:
    """Every block of every raster, once."""
    for path in paths:
        with rasterio.open(path) as dataset:
            dataset.read(1)


def warp_all(paths: list[str], grid: Grid) -> None:
    """Every raster on the reference grid, once."""
    for path in paths:
        warped(path, grid).read(1)


def difference(inputs: EmbeddingInputs, count: int) -> str:
    """The largest difference between (a) and (b) in standard deviations, and how often only one has a value."""
    fields = TileCache(inputs.raster_index.grid, SIZE, "center", cache_mb=1024, filtered=False)
    worst, where, apart, pixels = 0.0, "", 0, 0
    for view, row, column, item in reference(inputs, count):
        statistics = inputs.spec.statistics[item.band]
        (index,) = fields.windows_in_tiles(item.mosaic, np.array([row]), np.array([column]), statistics.mean)
        values = fields.blocks(index, 0, 0, SIZE)[0]
        expected = read_one(view, row, column, item) - np.float32(statistics.mean)
        r, c = int(index.rows[0]), int(index.columns[0])
        counts = index.tile.counts
        part = None if counts is None else counts[c : c + SIZE + 1, r : r + SIZE + 1].T
        ours = np.ones_like(values, bool) if part is None else np.diff(np.diff(part, axis=0), axis=1) > 0
        both = ours & ~np.isnan(expected)
        apart, pixels = apart + int((ours != ~np.isnan(expected)).sum()), pixels + ours.size
        largest = float(np.abs(values - expected)[both].max(initial=0)) / statistics.std
        if largest > worst:
            worst, where = largest, Path(path_of(item)).name
    return (
        f"largest difference between (a) and (b): {worst:.1e} standard deviations, in {where}; "
        f"{apart} of {pixels} pixels have a value in only one of them"
    )


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
