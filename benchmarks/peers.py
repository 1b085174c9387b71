"""What a user would take instead, in one run: the same work by rioxarray, torchgeo, pandas, polars, exactextract, ...

    python -m benchmarks.peers [--parts embed points sql map] [--env FOLDER] [--survey demo-960] [--repeats 3]

Peers have an environment of their own (`peers_environment`), made at the first run and kept: torchgeo does not resolve
with our pins. Each does the work as its documentation says, from the same files, windows and weights, and its result is
compared with ours in the same run. A peer that cannot be installed has a row that says why.

embed: rasters of the demo to Parquet of embeddings; `soc run`'s own writer, rasters brought to the grid in memory by
rioxarray with windows sliced and embedded 32 samples at once, torchgeo's datasets with two workers (some samples timed,
scaled up), one call per image (likewise), and the floor (rasters read once, the same Parquet written). points: values
of all bands and lags at the samples. sql: three questions to the same Parquet files. map: a user's script for a map.

Targets: 30 times as fast as rioxarray, 80 times as fast as torchgeo.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import peers_job
from benchmarks.embed_cpu import catalogued
from benchmarks.peers_environment import Environment, prepare
from benchmarks.peers_measure import Job
from benchmarks.peers_report import Row, compare, missing_row, table
from soc_assets.demo import write_demo
from soc_assets.embedding.inputs import EmbeddingInputs, freeze_spec, read_inputs
from soc_assets.project import Project

EXACT = 1e-4  # rasters that lie on the reference grid, every number
WARPED = 5e-3  # others, the median: GDAL and we weigh pixels of finer rasters differently
NEAREST = 5e-2  # others in torchgeo, the median: its WarpedVRT takes the nearest pixel before it resamples


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--parts", nargs="+", default=["embed", "points", "sql"], choices=[*PARTS])
    arguments.add_argument("--env", type=Path, default=Path(tempfile.gettempdir()) / "soc-benchmark-peers")
    arguments.add_argument("--survey", default="demo-960", help="of `soc demo`")
    arguments.add_argument("--repeats", type=int, default=3, help="of ours and of the floor")
    arguments.add_argument("--some", type=int, default=96, help="samples timed of torchgeo")
    arguments.add_argument("--loop", type=int, default=24, help="samples timed of the loop over images")
    arguments.add_argument("--sql-samples", type=int, default=4096)
    options = arguments.parse_args()
    environment = prepare(options.env)
    print("peers:", ", ".join(f"{name} {version}" for name, version in environment.versions.items()))
    with tempfile.TemporaryDirectory() as name:
        for part in options.parts:
            folder = Path(name) / part
            folder.mkdir()
            print(f"\n{PARTS[part](folder, environment, options)}", flush=True)


def demo(folder: Path, survey: str) -> tuple[Project, EmbeddingInputs]:
    """The demo region up to its batches, and the peers' job in the folder."""
    (folder / "soc.toml").write_text("")
    write_demo(folder / "data/rasters", folder / "data/soil", survey=survey)
    project = catalogued(folder)
    inputs = read_inputs(project, freeze_spec(project))
    peers_job.job_of(inputs).save(folder)
    return project, inputs


def embeddings(folder: Path, environment: Environment, options: argparse.Namespace) -> str:
    """Rasters to Parquet."""
    project, inputs = demo(folder, options.survey)
    return embedding_rows(project, inputs, folder, environment, options)


def embedding_rows(
    project: Project, inputs: EmbeddingInputs, folder: Path, environment: Environment, options: argparse.Namespace
) -> str:
    """The table of `embeddings`, of a project and its job."""
    n, job = len(inputs.samples), Job.load(folder)
    ours = peers_job.embed(inputs, project, job, folder, options.repeats)
    rows = [Row("**ours: `soc run`'s writer**", ours.took["seconds"], ours.took["processor_seconds"])]
    for way, (name, samples, tolerance, least) in {
        "rioxarray": ("rioxarray in memory, windows sliced, 32 samples at once", n, WARPED, 30),
        "torchgeo": ("torchgeo `RasterDataset`s, two workers", min(options.some, n), NEAREST, 80),
    }.items():

        def ask(way: str = way, name: str = name, samples: int = samples, tolerance: float = tolerance) -> Row:
            took = environment.run("peers_embed", str(folder), way, str(samples))
            words = difference(load(folder / f"{way}.npz", "vectors"), ours, np.arange(samples), tolerance)
            return scaled(name, took, samples, n, words)

        rows.append(attempt(name, way, environment, ask, least))
    took, positions, vectors = peers_job.image_loop(inputs, job, min(options.loop, n))
    words = difference(vectors, ours, positions, WARPED)
    rows.append(scaled("one window and one call per image", took, len(positions), n, words))
    took = peers_job.floor(inputs, folder, options.repeats)
    rows.append(Row("floor: rasters read once, the same Parquet", took["seconds"], took["processor_seconds"]))
    return table(f"embeddings of {n} samples, {len(inputs.spec.slots)} images each", rows)


def difference(theirs: np.ndarray, ours: peers_job.Ours, positions: np.ndarray, tolerance: float) -> str:
    """How far vectors [m, slots, 768] of some samples are from ours, where all pixels of the window are valid."""
    expected, complete, on_grid = ours.vectors[positions], ours.complete[positions], ours.on_grid[positions]
    same = compare(theirs, np.where((complete & on_grid)[:, :, None], expected, np.nan), EXACT)
    other = compare(theirs, np.where((complete & ~on_grid)[:, :, None], expected, np.nan), tolerance, of_median=True)
    return f"on the grid {same.words}; resampled {other.words}"


def attempt(name: str, peer: str, environment: Environment, ask: Callable[[], Row], least: float | None = None) -> Row:
    """A peer's row, or one that says why there is none."""
    if peer in environment.missing or peer not in environment.versions:
        return missing_row(name, environment.missing.get(peer, "it was not asked for"))
    try:
        row = ask()
    except RuntimeError as error:
        return Row(name, instead=f"failed: {error}")
    return Row(**{**vars(row), "least": least})


def scaled(name: str, took: dict[str, float], samples: int, n: int, difference: str) -> Row:
    """A row of which some samples were timed, as if all had been."""
    times = n / samples
    timed = "" if samples == n else f"{samples} samples timed, scaled up"
    return Row(name, took["seconds"] * times, took["processor_seconds"] * times, timed, difference)


def load(path: Path, name: str) -> np.ndarray:
    """An array that a peer wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return arrays[name]


def point_values(folder: Path, environment: Environment, options: argparse.Namespace) -> str:
    """Values of all bands and lags at the samples."""
    project, inputs = demo(folder, options.survey)
    return point_rows(project, inputs, folder, environment)


def point_rows(project: Project, inputs: EmbeddingInputs, folder: Path, environment: Environment) -> str:
    """The table of `point_values`, of a project and its job."""
    took, ours = peers_job.points(inputs, project)
    rows = [Row("**ours: means of 1, 3, 9 and 25 pixels at once**", took["seconds"], took["processor_seconds"])]
    job = peers_job.job_of(inputs)
    on_grid = peers_job.on_grid(job)
    for way, window, name in (("rasterio", 0, "rasterio `sample`"), ("exactextract", 3, "exactextract, 25 pixels")):

        def ask(way: str = way, window: int = window, name: str = name) -> Row:
            took = environment.run("peers_points", str(folder), way)
            values, own = load(folder / f"{way}.npz", "values"), ours[:, :, window]
            same = compare(np.where(on_grid, values, np.nan), own, EXACT)
            other = compare(np.where(on_grid, np.nan, values), own, np.inf)
            words = f"on the grid {same.words}; resampled median {other.median:.1e}"
            return Row(name, took["seconds"], took["processor_seconds"], difference=words)

        rows.append(attempt(name, way, environment, ask))
    return table(f"{len(inputs.samples)} samples, {job.raster.shape[1]} bands and lags at the point", rows)


def questions(folder: Path, environment: Environment, options: argparse.Namespace) -> str:
    """Three questions to Parquet files."""
    from benchmarks import peers_sql

    return "\n\n".join(peers_sql.tables(folder, environment, options.sql_samples))


def maps(folder: Path, environment: Environment, options: argparse.Namespace) -> str:
    """A user's script for a map, as in `benchmarks.map`; its environment is ours."""
    from benchmarks import peers_map

    return peers_map.rows(folder)


PARTS: dict[str, Callable[[Path, Environment, argparse.Namespace], str]] = {
    "embed": embeddings,
    "points": point_values,
    "sql": questions,
    "map": maps,
}


if __name__ == "__main__":
    main()
