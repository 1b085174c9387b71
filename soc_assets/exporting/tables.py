"""CSV and Parquet, a block at a time."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from soc_assets.embedding.parquet import geo_metadata, options_of
from soc_assets.embedding.spec import Spec
from soc_assets.exporting.int8 import quantise, quantised_batch
from soc_assets.exporting.sources import ImageSource, PointSource, RowBlock, Source, WideSource
from soc_assets.features import refresh
from soc_assets.project import Project
from soc_assets.reporting.as_text import csv_safe
from soc_assets.runtime import progress
from soc_assets.storage import files
from soc_assets.storage.access import source as source_of


def write_csv(source: Source, path: Path) -> None:
    """CSV: a row per sample and a column per feature; of embeddings a row per sample, band, lag and token.

    Text that a spreadsheet would evaluate is prefixed with an apostrophe (`reporting.as_text.cell`).

    Args:
        source: what is written; missing images are empty cells.
        path: of the file.
    """
    written, header = 0, True
    with pa.OSFile(str(path), "wb") as file:
        for block in source.row_blocks():
            table = (
                _wide(source, block, csv_safe(block.samples))
                if isinstance(source, WideSource)
                else _long(source, block)
            )
            pyarrow.csv.write_csv(table, file, pyarrow.csv.WriteOptions(include_header=header))
            written, header = written + len(block.samples), False
            progress.report(written, source.n, "samples")


def _wide(source: WideSource, block: RowBlock, samples: pd.DataFrame) -> pa.Table:
    table = pa.Table.from_pandas(samples, preserve_index=False)
    columns = [pa.array(column, from_pandas=True) for column in block.values.T]
    names = [*table.schema.names, *source.names]
    return pa.table([*table.columns, *columns], names=names)


def _long(source: Source, block: RowBlock) -> pa.Table:
    n, (slots, rows, width) = len(block.samples), source.shape
    bands, lags = source.labels["band"][1], source.labels["lag"][1]
    each = slots * rows
    samples = block.samples.loc[block.samples.index.repeat(each)].reset_index(drop=True)
    samples["band"] = np.tile(np.repeat(bands, rows), n)
    samples["lag"] = pd.array(np.tile(np.repeat(lags, rows), n), "Int32")
    samples["lag"] = samples["lag"].mask(samples["lag"] < 0)
    samples["token"] = np.tile(np.arange(rows), n * slots)
    table = pa.Table.from_pandas(csv_safe(samples), preserve_index=False)
    values = block.values.reshape(n * each, width)
    columns = [pa.array(column, from_pandas=True) for column in values.T]
    return pa.table([*table.columns, *columns], names=[*table.schema.names, *(str(d) for d in range(width))])


def write_feature_parquet(source: WideSource, path: Path, int8: bool = False) -> None:
    """One Parquet file: the samples' columns, and `features` as a list of fixed size; points as a column each.

    Args:
        source: what is written.
        path: of the file.
        int8: `features` as int8, and `scale` of each of its vectors (`soc_assets.exporting.int8`).
    """
    writer: pq.ParquetWriter | None = None
    written = 0
    try:
        for block in source.row_blocks():
            if isinstance(source, PointSource):
                table = _wide(source, block, block.samples)
            else:
                table = _with_vectors(source, block, int8)
            if writer is None:
                names = "\n".join(source.names)
                schema = table.schema.with_metadata({**source.metadata, "soc.feature_names": names})
                writer = pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=int8)
            writer.write_table(table.cast(writer.schema))
            written += table.num_rows
            progress.report(written, source.n, "samples")
    finally:
        if writer is not None:
            writer.close()


def _with_vectors(source: WideSource, block: RowBlock, int8: bool) -> pa.Table:
    table = pa.Table.from_pandas(block.samples, preserve_index=False)
    columns = {"features": block.values}
    if int8:
        numbers, scale = quantise(block.values.reshape(len(block.values), -1, source.vector or 1))
        columns = {"features": numbers.reshape(len(numbers), -1), "scale": scale}
    for name, values in columns.items():
        numbers = pa.array(values.ravel(), from_pandas=True)
        table = table.append_column(name, pa.FixedSizeListArray.from_arrays(numbers, values.shape[1]))
    return table


def write_image_parquet(source: ImageSource, project: Project, path: Path, int8: bool = False) -> None:
    """One GeoParquet file with the columns of the batches' files, all of them; `int8` as in `write_int8_batch`."""
    spec = refresh.contents_of(project).spec
    written = 0
    places = pa.concat_tables(
        pq.read_table(source_of(file), columns=["longitude", "latitude"]) for file in source.paths
    )
    metadata = {**source.metadata, "geo": geo_metadata(places.to_pandas())}
    schema = pq.read_schema(source_of(source.paths[0])).with_metadata(metadata)
    options = _int8_options(spec) if int8 else options_of(spec)
    if int8:
        schema = quantised_batch(schema.empty_table(), spec.shape[1]).schema
    with pq.ParquetWriter(path, schema, **options) as writer:
        for file in (pq.ParquetFile(source_of(path)) for path in source.paths):
            for number in range(file.num_row_groups):
                table = file.read_row_group(number)
                table = quantised_batch(table, spec.shape[1]) if int8 else table
                writer.write_table(table.replace_schema_metadata(metadata))
                written += table.num_rows
                progress.report(written, source.n, "samples")
            file.close()


def write_int8_batch(path: Path, spec: Spec, to: Path) -> None:
    """A batch's file with int8 vectors and their scales; metadata and all other columns as they are.

    Args:
        path: of the batch.
        spec: of the batch.
        to: the file written.
    """
    metadata = files.read_metadata(path)
    with pq.ParquetFile(source_of(path), page_checksum_verification=True) as file:
        schema = quantised_batch(file.schema_arrow.empty_table(), spec.shape[1]).schema.with_metadata(metadata)
        with pq.ParquetWriter(to, schema, **_int8_options(spec)) as writer:
            for number in range(file.num_row_groups):
                writer.write_table(quantised_batch(file.read_row_group(number), spec.shape[1]).cast(schema))


def _int8_options(spec: Spec) -> dict[str, Any]:
    """As the batches are written, but by dictionary: Parquet itself has no int8, and 255 numbers fit into a byte."""
    return {**options_of(spec), "use_byte_stream_split": False, "use_dictionary": True}
