"""CSV and Parquet, a block at a time."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from soc_assets.embedding.batch import options_of
from soc_assets.embedding.parquet import geo_metadata
from soc_assets.exporting.sources import FeatureSource, ImageSource, RowBlock, Source
from soc_assets.features import refresh
from soc_assets.project import Project
from soc_assets.reporting.as_text import csv_safe
from soc_assets.runtime import progress


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
            table = _wide(source, block) if isinstance(source, FeatureSource) else _long(source, block)
            pyarrow.csv.write_csv(table, file, pyarrow.csv.WriteOptions(include_header=header))
            written, header = written + len(block.samples), False
            progress.report(written, source.n, "samples")


def _wide(source: FeatureSource, block: RowBlock) -> pa.Table:
    table = pa.Table.from_pandas(csv_safe(block.samples), preserve_index=False)
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


def write_feature_parquet(source: FeatureSource, path: Path) -> None:
    """One Parquet file: the samples' columns, and `features` as a list of fixed size."""
    writer: pq.ParquetWriter | None = None
    written = 0
    try:
        for block in source.row_blocks():
            table = pa.Table.from_pandas(block.samples, preserve_index=False)
            values = pa.array(block.values.ravel(), from_pandas=True)
            table = table.append_column("features", pa.FixedSizeListArray.from_arrays(values, source.shape[0]))
            if writer is None:
                names = "\n".join(source.names)
                schema = table.schema.with_metadata({**source.metadata, "soc.feature_names": names})
                writer = pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False)
            writer.write_table(table.cast(writer.schema))
            written += table.num_rows
            progress.report(written, source.n, "samples")
    finally:
        if writer is not None:
            writer.close()


def write_image_parquet(source: ImageSource, project: Project, path: Path) -> None:
    """One GeoParquet file with the columns of the batches' files, all of them."""
    spec = refresh.contents_of(project).spec
    written = 0
    places = pa.concat_tables(pq.read_table(file, columns=["longitude", "latitude"]) for file in source.paths)
    metadata = {**source.metadata, "geo": geo_metadata(places.to_pandas())}
    schema = pq.read_schema(source.paths[0]).with_metadata(metadata)
    with pq.ParquetWriter(path, schema, **options_of(spec)) as writer:
        for file in map(pq.ParquetFile, source.paths):
            for number in range(file.num_row_groups):
                table = file.read_row_group(number)
                writer.write_table(table.replace_schema_metadata(metadata))
                written += table.num_rows
                progress.report(written, source.n, "samples")
            file.close()
