"""Where a column per band and lag may stand: size, writing, reading by SQL, and the bytes that object storage sends.

    python -m benchmarks.by_band [--samples 1024]

Invented samples, default settings, 25 images in the map. Processor time of one thread, best of five, because other
work on the machine changes it least; ranged reads of one batch through fsspec from a local S3 server (moto).
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.layouts import MAP, processor
from benchmarks.sql_data import write_embeddings
from soc_assets.embedding.parquet import options_of
from soc_assets.embedding.spec import Spec
from soc_assets.features import by_band
from soc_assets.features.images import batch_paths
from soc_assets_tests.storage_server import environment, serving

ONE = "LAI lag 0"
SPLIT = {"compression": "zstd", "use_dictionary": ["batch", "made_from"]}


@dataclass
class Layout:
    """One way: its files, and how SQL reads one band and lag, and all, from them."""

    files: list[Path]
    one: str
    every: str
    columns: list[str]  # that a reader of one band and lag needs of a batch
    seconds: float  # to read the same numbers from other files and write it, beside what the batches took
    of_one: Path | None = None  # the file that it is in


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1024)
    samples = parser.parse_args().samples
    with tempfile.TemporaryDirectory() as name, bucket() as storage:
        root = Path(name)
        project, spec = write_embeddings(root, samples)
        batches = batch_paths(project.embeddings / spec.digest)
        print(f"{samples} samples, {len(batches)} batches")
        print(f"{'':44}{'MB':>7}{'written, s':>11}{'one, s':>8}{'all, s':>8}{'requests':>9}{'MB of a batch':>15}")
        beside(root / "first", batches, spec)  # whatever is slower the first time
        for number, (words, make) in enumerate(WAYS.items()):
            folder = root / "way" / str(number)
            folder.mkdir(parents=True, exist_ok=True)
            report(words, make(folder, batches, spec), storage)


def report(words: str, layout: Layout, storage: "Storage") -> None:
    size = sum(path.stat().st_size for path in layout.files) / 1e6
    connection = duckdb.connect(config={"threads": 1})
    if layout.files[0].suffix == ".duckdb":
        connection.execute(f"ATTACH '{layout.files[0]}' AS native (READ_ONLY)")
        sent = f"{'':>9}{'':>15}"
    else:
        requests, read = storage.read(layout.of_one or layout.files[0], layout.columns)
        sent = f"{requests:>9}{read / 1e6:>15.2f}"

    def stream() -> None:
        for _ in connection.sql(layout.every).to_arrow_reader(512):
            pass

    one = processor(lambda: connection.execute(layout.one).fetchall())
    print(f"{words:<44}{size:>7.1f}{layout.seconds:>11.2f}{one:>8.3f}{processor(stream):>8.2f}{sent}", flush=True)


def the_map(folder: Path, batches: list[Path], spec: Spec) -> Layout:
    files = f"read_parquet({[str(path) for path in batches]})"
    number = [by_band.column_of(slot) for slot in spec.slots].index(ONE)
    one = f"SELECT sum(map_values({MAP})[{number}][1][1]) FROM {files}"
    every = f"SELECT flatten(flatten(list_concat([elevation_embedding], map_values({MAP})))) FROM {files}"
    return Layout(batches, one, every, [MAP], 0.0)


def of_copies(copies: list[Path], spec: Spec, seconds: float, batches: list[Path]) -> Layout:
    files = f"read_parquet({[str(path) for path in copies]})"
    return Layout(
        [*batches, *copies],
        f'SELECT sum("{ONE}"[1]) FROM {files}',
        f"SELECT list_concat({', '.join(names_of(spec))}) FROM {files}",
        [ONE],
        seconds,
        copies[0],
    )


def beside(folder: Path, batches: list[Path], spec: Spec) -> Layout:
    start = time.process_time()
    by_band.bring_up_to_date(folder / spec.digest, spec, batches, 100)
    seconds = time.process_time() - start
    return of_copies(sorted((folder / spec.digest).glob("*.parquet")), spec, seconds, batches)


def rewritten(rows: int, **options: object) -> Callable[[Path, list[Path], Spec], Layout]:
    """The copies with other options."""

    def make(folder: Path, batches: list[Path], spec: Spec) -> Layout:
        made, copies = beside(folder / "ours", batches, spec).files[len(batches) :], []
        start = time.process_time()
        for copy in made:
            copies.append(folder / copy.name)
            split = [f"{by_band.column_of(slot)}.list.element" for slot in spec.slots]
            chosen = {**SPLIT, "use_byte_stream_split": split, **options}
            pq.write_table(pq.read_table(copy), copies[-1], row_group_size=rows, **chosen)
        return of_copies(copies, spec, time.process_time() - start, batches)

    return make


def same_file(folder: Path, batches: list[Path], spec: Spec) -> Layout:
    """The map and a column per band and lag in one file."""
    copies = beside(folder / "ours", batches, spec).files[len(batches) :]
    start, both = time.process_time(), []
    columns = [by_band.column_of(slot) for slot in spec.slots]
    for batch, copy in zip(batches, copies, strict=True):
        table, vectors = pq.read_table(batch), pq.read_table(copy, columns=columns)
        both.append(folder / batch.name)
        options = options_of(spec)
        options["use_byte_stream_split"] = [
            *options["use_byte_stream_split"],
            *(f"{name}.list.element" for name in columns),
        ]
        for name in columns:
            table = table.append_column(name, vectors[name])
        pq.write_table(table, both[-1], **options)
    layout = of_copies(both, spec, time.process_time() - start, [])
    return layout


def a_file_each(folder: Path, batches: list[Path], spec: Spec) -> Layout:
    """A file per band and lag over all samples."""
    copies = beside(folder / "ours", batches, spec).files[len(batches) :]
    start, paths = time.process_time(), []
    for slot in spec.slots:
        name = by_band.column_of(slot)
        paths.append(folder / f"{name}.parquet")
        tables = [pq.read_table(copy, columns=["sample_id", name]) for copy in copies]
        options = {"compression": "zstd", "use_dictionary": False, "use_byte_stream_split": [f"{name}.list.element"]}
        pq.write_table(pa.concat_tables(tables), paths[-1], row_group_size=256, **options)
    seconds, one = time.process_time() - start, folder / f"{ONE}.parquet"
    joined = " POSITIONAL JOIN ".join(f"read_parquet('{path}')" for path in paths)
    return Layout(
        [*batches, *paths],
        f"SELECT sum(\"{ONE}\"[1]) FROM read_parquet('{one}')",
        f"SELECT list_concat({', '.join(names_of(spec))}) FROM {joined}",
        [ONE],
        seconds,
        one,
    )


def native(folder: Path, batches: list[Path], spec: Spec) -> Layout:
    """A table in a DuckDB file: an array per band and lag."""
    copies = beside(folder / "ours", batches, spec).files[len(batches) :]
    start, path = time.process_time(), folder / "vectors.duckdb"
    arrays = ", ".join(f"{name}::FLOAT[768] AS {name}" for name in names_of(spec))
    with duckdb.connect(path, config={"threads": 1, "memory_limit": "3GB"}) as connection:
        files = f"read_parquet({[str(copy) for copy in copies]})"
        connection.execute(f"CREATE TABLE vectors AS SELECT sample_id, batch, {arrays} FROM {files}")
    lists = ", ".join(f"{name}::FLOAT[]" for name in names_of(spec))
    one, every = f'SELECT sum("{ONE}"[1]) FROM native.vectors', f"SELECT list_concat({lists}) FROM native.vectors"
    return Layout([path, *batches], one, every, [], time.process_time() - start)


def names_of(spec: Spec) -> list[str]:
    return [f'"{by_band.column_of(slot)}"' for slot in spec.slots]


WAYS: dict[str, Callable[[Path, list[Path], Spec], Layout]] = {
    "the batch alone: a map": the_map,
    "columns in the same file": same_file,
    "a copy of each batch beside it (ours)": beside,
    "the same, 64 rows a group": rewritten(64),
    "the same, bytes not split": rewritten(256, use_byte_stream_split=False),
    "the same, not compressed": rewritten(256, compression="none"),
    "a file per band and lag over all samples": a_file_each,
    "a table in a DuckDB file": native,
}


class Storage:
    """Counts ranged reads of an object."""

    def __init__(self, filesystem: Any) -> None:
        self.filesystem = filesystem

    def read(self, path: Path, columns: list[str]) -> tuple[int, int]:
        """Requests and bytes to read columns of the first row group, beginning with the footer."""
        name, ranges = f"bench/{path.name.replace(' ', '_')}", []
        self.filesystem.put_file(str(path), name)
        with self.filesystem.open(name, cache_type="none") as file:
            fetch = file.cache.fetcher

            def counting(start: int, end: int) -> bytes:
                ranges.append(end - start)
                return fetch(start, end)

            file.cache.fetcher = counting
            reader = pq.ParquetFile(file, pre_buffer=True)
            reader.read_row_group(0, columns=columns)
        return len(ranges), sum(ranges)


@contextmanager
def bucket() -> Iterator[Storage]:
    """A bucket of a local S3 server."""
    import s3fs

    with serving() as url:
        os.environ.update(environment(url))
        filesystem = s3fs.S3FileSystem(endpoint_url=url)
        filesystem.mkdir("bench")
        yield Storage(filesystem)


if __name__ == "__main__":
    main()
