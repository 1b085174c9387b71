"""Three questions to the same Parquet files: soc.duckdb, pandas and polars."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers_environment import Environment
from benchmarks.peers_measure import measured
from benchmarks.peers_report import Row, compare, missing_row, table
from benchmarks.sql_data import write_embeddings
from soc_assets.features import refresh
from soc_assets.features.images import batch_paths
from soc_assets.features.sql.database import open_database

TOLERANCE = 1e-5
_BAND = "SELECT sample_id, vector FROM embedding_long WHERE band = 'LAI' AND lag = 0 AND vector IS NOT NULL"
QUESTIONS = {
    "neighbours": "ten nearest neighbours by all features",
    "one_band": "one band and lag of all samples",
    "one_sample": "all features of one sample",
}


def tables(folder: Path, environment: Environment, samples: int) -> Iterator[str]:
    """A table for each question, of invented samples."""
    project, _ = write_embeddings(folder, samples)
    refresh.ensure(project)
    batches = batch_paths(refresh.contents_of(project).folder)
    (folder / "batches").symlink_to(batches[0].parent, target_is_directory=True)
    size = sum(path.stat().st_size for path in batches) / 1e6
    asked = f"s{samples // 3:06d}"
    for question, words in QUESTIONS.items():
        with measured() as took:
            ids, values = ours(project.database, question, asked)
        rows = [Row("**ours: `soc.duckdb`**", took["seconds"], took["processor_seconds"])]
        for package in ("pandas", "polars"):
            rows.append(_peer(environment, folder, (package, question, asked), (ids, values)))
        yield table(f"{words}: {samples} samples, {size:.0f} MB", rows)


def ours(database: Path, question: str, sample: str) -> tuple[list[str], np.ndarray]:
    """The database opened, asked once: samples and numbers."""
    answers: dict[str, Callable[[Any], tuple[list[str], np.ndarray]]] = {
        "neighbours": lambda found: (found[0].tolist(), found[1]),
        "one_sample": lambda found: ([sample], np.asarray(found[0][0], np.float32)),
        "one_band": lambda found: (found[0].tolist(), np.array([*found[1]], np.float32)),
    }
    queries = {
        "neighbours": f"SELECT sample_id, similarity FROM similar('{sample}', 10)",
        "one_sample": f"SELECT features FROM features WHERE sample_id = '{sample}'",
        "one_band": _BAND,
    }
    with open_database(database) as connection:
        if question == "one_band":
            return _vectors(connection.sql(_BAND).to_arrow_table())
        found = connection.execute(queries[question]).fetchnumpy()
    return answers[question](list(found.values()))


def _vectors(table: Any) -> tuple[list[str], np.ndarray]:
    values = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return table["sample_id"].to_pylist(), values.reshape(table.num_rows, -1)


def _peer(
    environment: Environment, folder: Path, asked: tuple[str, str, str], expected: tuple[list[str], np.ndarray]
) -> Row:
    package, question, _ = asked
    if package not in environment.versions:
        return missing_row(package, environment.missing.get(package, ""))
    try:
        took = environment.run("peers_tables", str(folder), *asked)
    except RuntimeError as error:
        return Row(package, instead=f"failed: {error}")
    with np.load(folder / f"{package}_{question}.npz", allow_pickle=False) as arrays:
        ids, values = arrays.get("ids"), arrays["values"]
    words = _difference(question, ids, values, expected)
    return Row(f"{package}, {took['peak_mb']:,.0f} MB", took["seconds"], took["processor_seconds"], difference=words)


def _difference(
    question: str, ids: np.ndarray | None, values: np.ndarray, expected: tuple[list[str], np.ndarray]
) -> str:
    """In words; rows are brought into our order, and rows that we do not have (missing images) must be zeros."""
    own_ids, own = expected
    if ids is None:
        return compare(values, own, TOLERANCE).words
    if question == "neighbours":
        same = len(set(ids.tolist()) & set(own_ids))
        return f"{same} of {len(own_ids)} the same; cosine {compare(values, own, 1e-3).words}"
    place = {sample: number for number, sample in enumerate(own_ids)}
    known = np.array([sample in place for sample in ids.tolist()])
    order = [place[sample] for sample in ids[known].tolist()]
    zeros = int((~known & (values == 0).all(axis=1)).sum())
    missing = f"; {zeros} of {int((~known).sum())} images that we leave out are missing" if not known.all() else ""
    return compare(values[known], own[order], TOLERANCE).words + missing
