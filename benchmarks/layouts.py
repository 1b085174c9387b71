"""Layouts of a batch's Parquet file: size, bytes that a query of one band reads, and processor time of reading.

    python -m benchmarks.layouts

1,024 invented samples, default settings. The files' own layout comes first; processor time of one thread, best of five,
because other work on the machine does not change it. `one column per band` is what the files would be without the map.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.sql_data import write_embeddings
from soc_assets.embedding.parquet import options_of
from soc_assets.features.images import batch_paths

MAP = "channel_time_embeddings"
ALL = f"SELECT elevation_embedding, {MAP} FROM read_parquet('{{}}')"
ONE = f"SELECT sum(map_values({MAP})[1][1][1]) FROM read_parquet('{{}}')"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project, spec = write_embeddings(folder, 1024)
        table = pa.concat_tables(pq.read_table(path) for path in batch_paths(project.embeddings / spec.digest))
        ours = {**options_of(spec), "row_group_size": 256}
        plain = {**ours, "use_byte_stream_split": False}
        print(f"{'layout':<30}{'MB':>7}{'one band reads, MB':>20}{'one band, s':>13}{'all, s':>8}{'pyarrow, s':>12}")
        for layout, options in {
            "ours: a map, 256 rows a group": ours,
            "64 rows a group": {**ours, "row_group_size": 64},
            "1,024 rows a group": {**ours, "row_group_size": 1024},
            "bytes not split": plain,
            "not compressed": {**plain, "compression": "none"},
            "pages of 64 kB": {**ours, "data_page_size": 64 * 1024},
        }.items():
            report(layout, folder / "one.parquet", table, options, MAP, ONE, ALL)
        bands = by_band(table, [slot.name for slot in spec.slots[1:]])
        names = ", ".join(f'"{name}"' for name in bands.column_names)
        report(
            "one column per band",
            folder / "one.parquet",
            bands,
            {"compression": "zstd", "use_dictionary": False, "row_group_size": 256},
            "LAI",
            "SELECT sum(\"LAI\"[1][1][1]) FROM read_parquet('{}')",
            f"SELECT {names} FROM read_parquet('{{}}')",
        )


def report(layout: str, path: Path, table: pa.Table, options: dict, column: str, one: str, every: str) -> None:
    pq.write_table(table, path, **options)
    connection = duckdb.connect(config={"threads": 1})
    metadata = pq.read_metadata(path)
    read = sum(
        chunk.total_compressed_size
        for group in range(metadata.num_row_groups)
        for chunk in map(metadata.row_group(group).column, range(metadata.num_columns))
        if chunk.path_in_schema.split(".")[0] == column
    )

    def stream() -> None:
        for _ in connection.sql(every.format(path)).to_arrow_reader(256):
            pass

    of_one = processor(lambda: connection.execute(one.format(path)).fetchall())
    names = ["elevation_embedding", MAP] if MAP in table.column_names else table.column_names
    of_arrow = processor(lambda: pq.read_table(path, columns=names, use_threads=False))
    numbers = (
        f"{path.stat().st_size / 1e6:>7.1f}{read / 1e6:>20.1f}{of_one:>13.3f}{processor(stream):>8.3f}{of_arrow:>12.3f}"
    )
    print(f"{layout:<30}{numbers}", flush=True)


def by_band(table: pa.Table, names: list[str]) -> pa.Table:
    """Elevation and a column per band: the images of its lags, most recent first."""
    items = table[MAP].combine_chunks().items
    n, slots = table.num_rows, len(names)
    columns = {"elevation_embedding": table["elevation_embedding"]}
    for band in dict.fromkeys(names):
        of_band = [number for number, name in enumerate(names) if name == band]
        places = pa.array([row * slots + number for row in range(n) for number in of_band], pa.int64())
        offsets = pa.array([row * len(of_band) for row in range(n + 1)], pa.int32())
        columns[band] = pa.ListArray.from_arrays(offsets, items.take(places))
    return pa.table(columns)


def processor(work: Callable[[], object]) -> float:
    """Processor time of a call, best of five, seconds."""
    times = []
    for _ in range(5):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    main()
