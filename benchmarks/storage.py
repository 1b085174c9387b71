"""Ways to store one batch: size, seconds to write, to read and to verify, and the error of float16.

    python -m benchmarks.storage

One batch of 256 samples of the demo region, default settings; the platform's own options come first.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.embed_cpu import prepare, write_all
from soc_assets.embedding.inputs import freeze_spec, read_inputs
from soc_assets.embedding.parquet import PARQUET_OPTIONS

WAYS = {
    "ours: zstd, bytes split": PARQUET_OPTIONS,
    "the same without checksums": {**PARQUET_OPTIONS, "write_page_checksum": False},
    "the same at level 9": {**PARQUET_OPTIONS, "compression_level": 9},
    "zstd": {"compression": "zstd", "use_dictionary": False},
    "lz4": {"compression": "lz4", "use_dictionary": False},
    "snappy": {"compression": "snappy", "use_dictionary": False},
    "none": {"compression": "none", "use_dictionary": False},
}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = prepare(folder)
        inputs = read_inputs(project, freeze_spec(project))
        write_all(inputs, project, folder / "out")
        table = pq.read_table(min((folder / "out").glob("batch_*")))
        print(f"{'':28}{'MB':>8}{'write, s':>10}{'read, s':>10}{'verify, s':>11}")
        for way, options in WAYS.items():
            report(way, table, folder / "one.parquet", options)
        halves = table.set_column(
            table.schema.get_field_index("channel_time_embeddings"), "channel_time_embeddings", as_halves(table)
        )
        report("float16, zstd", halves, folder / "one.parquet", WAYS["zstd"])
        exact = values(table["channel_time_embeddings"]).astype(float)
        error = np.abs(values(halves["channel_time_embeddings"]).astype(float) - exact)
        large = np.abs(exact) > 1e-4
        relative = (error[large] / np.abs(exact[large])).max()
        print(
            f"float16: largest error {error.max():.1e}; of values above 1e-4 the largest relative error {relative:.1e}"
        )


def report(way: str, table: pa.Table, path: Path, options: dict) -> None:
    """Best of seven, in seconds of the processor; reading with and without verifying checksums."""
    written, read, verified = [], [], []
    for _ in range(7):
        written.append(seconds(lambda: pq.write_table(table, path, **options)))
        read.append(seconds(lambda: pq.read_table(path)))
        verified.append(seconds(lambda: pq.read_table(path, page_checksum_verification=True)))
    size = path.stat().st_size / 1e6
    print(f"{way:28}{size:8.1f}{min(written):10.3f}{min(read):10.3f}{min(verified):11.3f}")


def seconds(work: Callable[[], object]) -> float:
    """Of the processor, which other work on the machine does not change."""
    start = time.process_time()
    work()
    return time.process_time() - start


def values(column: pa.ChunkedArray) -> np.ndarray:
    """All numbers of a column of maps of lists of lists."""
    return column.combine_chunks().items.flatten().flatten().to_numpy(zero_copy_only=False)


def as_halves(table: pa.Table) -> pa.Array:
    """The column with its numbers as float16."""
    column = table["channel_time_embeddings"].combine_chunks()
    return column.cast(pa.map_(pa.string(), pa.list_(pa.list_(pa.float16()))))


if __name__ == "__main__":
    main()
