"""Reading Parquet and GeoParquet, after a look at how large its columns are once unpacked.

A value that stands a thousand million times in a column takes a few bytes of a file. Points are taken in
`ingest.soil.layers`.
"""

import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.formats import Sheet, of_records
from soc_assets.ingest.soil.limits import Budget, beyond, require, translated
from soc_assets.settings import SoilLimits

_CURE = "Write it again."
_AT_ONCE = 65_536  # rows


def read_parquet(path: Path, limits: SoilLimits, wanted: Callable[[Sequence[str]], Collection[int] | None]) -> Sheet:
    """The table of a Parquet file, or the layer of a GeoParquet file; nested columns beside the geometry are left.

    Args:
        path: the file.
        limits: how much it may hold.
        wanted: says which of the columns are read; None for all.

    Raises:
        SoilError: the file is damaged, or holds more than the limits allow.
    """
    with translated("it cannot be read as a Parquet file", _CURE):
        with pq.ParquetFile(path) as file:
            schema, geometry = file.schema_arrow, _geometry(file.schema_arrow)
            flat = [field.name for field in schema if not pa.types.is_nested(field.type)]
        kept = wanted(flat)
        columns = flat if kept is None else [name for place, name in enumerate(flat) if place in kept]
        read = [*columns, *([geometry] if geometry and geometry not in columns else [])]
        require(limits, "max_columns", len(read))
        _require_size(path, read, Budget(limits))
    if geometry:
        return _read_layer(path, read)
    with translated("it cannot be read as a Parquet file", _CURE):
        table = pq.read_table(path, columns=columns)
        return of_records(table.to_pandas(ignore_metadata=True, integer_object_nulls=True))


def _geometry(schema: pa.Schema) -> str | None:
    """The column of a GeoParquet file that holds the geometry."""
    geo = (schema.metadata or {}).get(b"geo")
    if geo is None:
        return None
    name = json.loads(geo).get("primary_column", "geometry")
    if name not in schema.names:
        raise SoilError(f"its metadata names {name!r} as the column of geometries, which it does not have. {_CURE}")
    return name


def _read_layer(path: Path, columns: list[str]) -> Sheet:
    import geopandas

    from soc_assets.ingest.soil.layers import sheet_of_layer

    with translated("it cannot be read as a GeoParquet file", _CURE):
        how = {"integer_object_nulls": True}
        return sheet_of_layer(geopandas.read_parquet(path, columns=columns, to_pandas_kwargs=how), "")


def _require_size(path: Path, columns: Sequence[str], budget: Budget) -> None:
    """Check what columns take once unpacked: as the file says, and text by its lengths."""
    limits = budget.limits
    with pq.ParquetFile(path) as file:
        types = {field.name: field.type for field in file.schema_arrow if field.name in columns}
        rows = file.metadata.num_rows
        budget.box(rows, len(columns), f"it has {rows:,} rows and {len(columns):,} columns")
        packed = _unpacked(file.metadata, {*columns})
        fixed = rows * sum(kind.byte_width for kind in types.values() if pa.types.is_fixed_size_binary(kind))
        if max(packed, fixed) > limits.max_bytes:
            raise beyond("max_bytes", limits.max_bytes, f"it unpacks to {max(packed, fixed):,} bytes")
    texts = [name for name, kind in types.items() if _is_text(kind) or pa.types.is_dictionary(kind)]
    if not texts:
        return
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        for batch in file.iter_batches(_AT_ONCE, columns=texts):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                longest, size = _lengths(column)
                is_binary = _is_binary(types[name])
                budget.text(0 if is_binary else longest, size, f"a cell of the column {name!r}")


def _unpacked(metadata: pq.FileMetaData, names: set[str]) -> int:
    """Bytes of columns before compression, as the file says; text that repeats itself may need more."""
    total = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        parts = (group.column(place) for place in range(group.num_columns))
        total += sum(part.total_uncompressed_size for part in parts if part.path_in_schema.partition(".")[0] in names)
    return total


def _lengths(column: pa.Array) -> tuple[int, int]:
    """Longest text of an array, and that of all together, without unpacking a dictionary."""
    if pa.types.is_dictionary(column.type):
        if not _is_text(column.type.value_type):
            return 0, 0
        lengths = _length_of_each(column.dictionary).take(column.indices)
    else:
        lengths = _length_of_each(column)
    longest, whole = (pc.call_function(name, [lengths.cast(pa.int64())]).as_py() for name in ("max", "sum"))
    return longest or 0, whole or 0


def _length_of_each(texts: pa.Array) -> pa.Array:
    measurable = texts.cast(pa.large_binary()) if _is_view(texts.type) else texts  # whose lengths Arrow knows
    return pc.call_function("binary_length", [measurable])


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or _is_binary(kind) or _is_view(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _is_view(kind: pa.DataType) -> bool:
    return pa.types.is_string_view(kind) or pa.types.is_binary_view(kind)
