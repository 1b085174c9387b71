"""SQL over embeddings at the size of Bavaria: 16,384 samples, 64 batches, 1.1 GB of Parquet, copies by band of 1.1 GB.

    python -m benchmarks.sql [--samples 16384] [--repeats 3] [--keep FOLDER]

Prints, from one run: `features` to a NumPy matrix by the platform's reader and by SQL, against pyarrow reading the same
files into the same matrix (at most 1.5 times); each documented query with its time and its peak memory in a process of
its own (below 4 GB); `similar` (at most 1 s); and bytes that a query of one band reads. Files are in the page cache.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.bavaria_scale import own_peak_mb
from benchmarks.sql_data import write_embeddings
from soc_assets.embedding.spec import all_specs
from soc_assets.features import refresh
from soc_assets.features.images import batch_paths
from soc_assets.features.reading import load_features
from soc_assets.features.sql.database import open_database
from soc_assets.project import Project
from soc_assets.settings.loading import Settings

QUERIES = {
    "count": "SELECT count(*) FROM embeddings",
    "features, one sample": "SELECT features FROM features WHERE sample_id = 's000100'",
    "feature, one position": "SELECT avg(value) FROM feature(0)",
    "features, one position": "SELECT avg(features[1]) FROM features",
    "elevation alone": "SELECT sum(list_sum(elevation_embedding[1])) FROM embeddings",
    "one band of all (long)": "SELECT sum(vector[1]) FROM embedding_long WHERE band = 'LAI' AND lag = 0",
    "one sample (long)": "SELECT band, lag, vector[1] FROM embedding_long WHERE sample_id = 's000100'",
    "vec": "SELECT vec('s000100', 'LAI', 1)",
    "similar": "FROM similar('s000100', 10)",
    "similar, one band": "FROM similar('s000100', 10, bands := ['LAI'])",
    "similar_to": "FROM similar_to(11.5, 48.1, 10)",
    "drift": "SELECT avg(distance) FROM drift('LAI', 0, 4)",
    "band_distance": "SELECT band_distance('s000100', 's000200', 'LAI')",
    "within_km": "SELECT count(*) FROM within_km(11.5, 48.1, 25)",
    "pca": "SELECT avg(pc1) FROM pca(2)",
    "batches": "SELECT state, count(*) FROM batches GROUP BY state",
    "gaps per sample": "SELECT missing_images, count(*) FROM features GROUP BY ALL",
}
LIMIT_MB = 4096


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--samples", type=int, default=16_384)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--keep", type=Path, help="Write the files here, or use those that are here already.")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = options.keep or Path(name)
        project = prepare(root, options.samples)
        measure_matrix(project, options.repeats)
        measure_queries(project, options.repeats)
        measure_bytes(project)


def prepare(root: Path, samples: int) -> Project:
    """The files and the database, with what they took."""
    project = Project(root, Settings())
    start = time.perf_counter()
    if not all_specs(project.embeddings):
        write_embeddings(root, samples)
        print(f"written in {time.perf_counter() - start:.0f} s")
    project.database.unlink(missing_ok=True)
    start = time.perf_counter()
    refresh.ensure(project)
    files = batch_paths(refresh.contents_of(project).folder)
    size = sum(path.stat().st_size for path in files) / 1e9
    built = time.perf_counter() - start
    print(
        f"{len(files)} batches, {size:.2f} GB; database {project.database.stat().st_size / 1e6:.0f} MB in {built:.0f} s"
    )
    return project


def measure_matrix(project: Project, repeats: int) -> None:
    """Turn about, so that a loaded machine slows all of them."""
    ways: dict[str, Callable[[Project], np.ndarray]] = {
        "pyarrow": by_pyarrow,
        "load_features": lambda project: load_features(project=project).matrix,
        "SQL, SELECT features": by_sql,
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    sums: dict[str, np.ndarray] = {}
    for _ in range(repeats):
        for way, work in ways.items():
            start = time.perf_counter()
            matrix = work(project)
            times[way].append(time.perf_counter() - start)
            sums.setdefault(way, np.sort(matrix[:, ::7].sum(axis=1)))  # rows are in another order
            del matrix
    assert all(np.allclose(found, sums["pyarrow"], atol=1e-3) for found in sums.values())
    print(f"\n{'all features to a NumPy matrix':<34}{'best, s':>9}{'ratio':>7}{'median ratio':>14}  (at most 1.5)")
    for way, found in times.items():
        ratio = min(found) / min(times["pyarrow"])
        middle = statistics.median(a / b for a, b in zip(found, times["pyarrow"], strict=True))
        print(f"{way:<34}{min(found):>9.2f}{ratio:>7.2f}{middle:>14.2f}")


def by_pyarrow(project: Project) -> np.ndarray:
    """The floor: what one writes by hand with pyarrow for these files, missing images as zeros."""
    contents = refresh.contents_of(project)
    paths, n_features = batch_paths(contents.folder), contents.spec.n_features
    matrix = np.empty((sum(pq.read_metadata(path).num_rows for path in paths), n_features), np.float32)
    first = 0
    for path in paths:
        table = pq.read_table(path, columns=["elevation_embedding", "channel_time_embeddings"])
        n = table.num_rows
        rows = matrix[first : first + n]
        elevation = table["elevation_embedding"].combine_chunks().flatten().flatten()
        rows[:, :768] = elevation.to_numpy(zero_copy_only=False).reshape(n, 768)
        items = table["channel_time_embeddings"].combine_chunks().items
        present = items.is_valid().to_numpy(zero_copy_only=False)
        images = np.zeros((len(items), 768), np.float32)
        images[present] = items.flatten().flatten().to_numpy(zero_copy_only=False).reshape(-1, 768)
        rows[:, 768:] = images.reshape(n, -1)
        first += n
    return matrix


def by_sql(project: Project) -> np.ndarray:
    """The view, as Arrow batches into one matrix."""
    with open_database(project.database) as connection:
        n, width = connection.sql("SELECT count(*), (SELECT count(*) FROM feature_index) FROM features").fetchall()[0]
        matrix, first = np.empty((n, width), np.float32), 0
        for batch in connection.sql("SELECT features FROM features").to_arrow_reader(512):
            values = batch.column(0).flatten().to_numpy(zero_copy_only=False)
            matrix[first : first + batch.num_rows] = values.reshape(batch.num_rows, width)
            first += batch.num_rows
    return matrix


def measure_queries(project: Project, repeats: int) -> None:
    print(f"\n{'query':<34}{'first, s':>9}{'best, s':>9}{'processor, s':>14}{'peak, MB':>10}  (below {LIMIT_MB})")
    for name, query in QUERIES.items():
        first, best, processor, peak = in_fresh_process(ask, project.database, query, repeats)
        verdict = "" if peak < LIMIT_MB else "  MISSED"
        print(f"{name:<34}{first:>9.2f}{best:>9.2f}{processor:>14.2f}{peak:>10.0f}{verdict}", flush=True)


def ask(database: Path, query: str, repeats: int) -> tuple[float, float, float, float]:
    """Seconds of the first and of the best answer, least processor seconds, and this process's peak memory, MB."""
    times, processor = [], []
    with open_database(database) as connection:
        for _ in range(repeats + 1):
            start = time.process_time()
            times.append(seconds(lambda: connection.execute(query).fetchall()))
            processor.append(time.process_time() - start)
    return times[0], min(times), min(processor), own_peak_mb()


def measure_bytes(project: Project) -> None:
    """What the layout lets a query of one band leave alone: bytes of the column chunks of the first file."""
    path = batch_paths(refresh.contents_of(project).folder)[0]
    sizes: dict[str, int] = {}
    metadata = pq.read_metadata(path)
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            name = chunk.path_in_schema.split(".")[0]
            sizes[name] = sizes.get(name, 0) + chunk.total_compressed_size
    total = sum(sizes.values())
    print(f"\n{'bytes of a batch, by column':<34}{'kB':>9}{'share':>8}")
    for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:5]:
        print(f"{name:<34}{size / 1e3:>9.0f}{size / total:>8.1%}")


def in_fresh_process(work: Callable, *arguments: object) -> tuple:
    """The result of a call in a process that does only this."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(work, arguments)


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
