"""The embedding Parquet: schema, Arrow arrays from plain arrays without per-row Python, GeoParquet metadata.

What the columns mean is in `soc_assets.integrity.schemas`. Source of the geometry columns: the
GeoParquet 1.1 specification.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from soc_assets.embedding.embedded import Embedded
from soc_assets.embedding.spec import Spec
from soc_assets.integrity.schemas import EMBEDDINGS
from soc_assets.storage import files

TOKENS = pa.list_(pa.list_(pa.float32()))
BBOX = pa.struct([(name, pa.float64()) for name in ("xmin", "ymin", "xmax", "ymax")])
_TYPES = {
    "string": pa.string(),
    "int32": pa.int32(),
    "float64": pa.float64(),
    "binary": pa.binary(),
    "list<list<float32>>": TOKENS,
    "map<string, list<list<float32>>>": pa.map_(pa.string(), TOKENS),
    "map<string, float32>": pa.map_(pa.string(), pa.float32()),
    "map<string, list<float32>>": pa.map_(pa.string(), pa.list_(pa.float32())),
    "struct<xmin: float64, ymin: float64, xmax: float64, ymax: float64>": BBOX,
}
SCHEMA = pa.schema(
    [pa.field(column.name, _TYPES[column.type], metadata={"comment": column.description}) for column in EMBEDDINGS]
)
LABELS = ("organic_carbon", "location_id", "source")  # columns that may change without touching an embedding


_TOKENS = "list.element.list.element"
PARQUET_OPTIONS: dict[str, Any] = {  # measured in benchmarks/storage.py
    "compression": "zstd",
    "use_dictionary": False,
    "write_page_checksum": True,  # flipped bits on disk do not go unnoticed: `check_batch` reads the checksums
    "use_byte_stream_split": [
        f"elevation_embedding.{_TOKENS}",
        *(f"{name}_embeddings.key_value.value.{_TOKENS}" for name in ("channel_time", "static")),
    ],
}


def schema_of(spec: Spec) -> pa.Schema:
    """The schema with the spec's storage: the tokens are float32, or float16 where that is set."""
    if spec.choices["storage"] == "float32":
        return SCHEMA
    halves = pa.list_(pa.list_(pa.float16()))
    types = {"elevation_embedding": halves, "channel_time_embeddings": pa.map_(pa.string(), halves)}
    types["static_embeddings"] = types["channel_time_embeddings"]
    return pa.schema([field.with_type(types.get(field.name, field.type)) for field in SCHEMA])


def to_table(samples: pd.DataFrame, spec: Spec, embedded: Embedded) -> pa.Table:
    """One row per sample, from its identity columns and its embeddings."""
    schema, n = schema_of(spec), len(samples)
    statics = sum(slot.lag is None for slot in spec.slots)
    keys, kind = _by_sample(embedded.keys, n), np.dtype(spec.choices["storage"])
    parts = [slice(0, 1), slice(1, statics), slice(statics, len(spec.slots))]
    tokens = [_tokens(embedded.vectors[:, part].astype(kind, copy=False), embedded.missing[:, part]) for part in parts]
    longitude, latitude = samples["longitude"].to_numpy(float), samples["latitude"].to_numpy(float)
    columns = {
        "longitude": longitude,
        "latitude": latitude,
        "elevation_embedding": tokens[0],
        "channel_time_embeddings": _maps(keys[:, parts[2]], tokens[2]),
        "static_embeddings": _maps(keys[:, parts[1]], tokens[1]),
        "valid_fraction": _maps(keys, pa.array(embedded.valid.astype(np.float32).ravel())),
        "point_values": _maps(_by_sample(embedded.point_keys, n), _numbers(embedded.points)),
        "geometry": _points(longitude, latitude),
        "bbox": pa.StructArray.from_arrays([pa.array(v) for v in (longitude, latitude) * 2], fields=list(BBOX)),
    }
    for name in ("organic_carbon", "sample_id", "location_id", "year", "season", "source", "batch"):
        columns[name] = pa.array(samples[name], schema.field(name).type, from_pandas=True)
    return pa.table([columns[name] for name in schema.names], names=schema.names).cast(schema)


def _by_sample(keys: list[list[str]], n: int) -> np.ndarray:
    """Keys per slot as [n, slots]."""
    result = np.empty((n, len(keys)), dtype=object)
    for number, of_slot in enumerate(keys):
        result[:, number] = of_slot
    return result


def geo_metadata(samples: pd.DataFrame) -> str:
    """The value of the file's `geo` metadata (GeoParquet 1.1) for these points."""
    bounds = [float(v) for v in (samples["longitude"].min(), samples["latitude"].min())]
    bounds += [float(v) for v in (samples["longitude"].max(), samples["latitude"].max())]
    covering = {"bbox": {side: ["bbox", side] for side in ("xmin", "ymin", "xmax", "ymax")}}
    column = {"encoding": "WKB", "geometry_types": ["Point"], "covering": covering}
    if len(samples):
        column["bbox"] = bounds
    return json.dumps({"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}})


def _tokens(vectors: np.ndarray, missing: np.ndarray) -> pa.ListArray:
    """Vectors [n, slots, rows, width] as n * slots lists of lists, null where missing."""
    rows, width = vectors.shape[2:]
    present = ~missing.ravel()
    values = pa.array(vectors[~missing].ravel())
    inner = pa.ListArray.from_arrays(pa.array(np.arange(present.sum() * rows + 1, dtype=np.int32) * width), values)
    ends = np.concatenate([[0], np.cumsum(present) * rows]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), inner, mask=pa.array(~present))


def _numbers(values: np.ndarray) -> pa.ListArray:
    """Numbers [n, k, m] as n * k lists, NaN as null; a list without any number is null."""
    n, k, m = values.shape
    empty = np.isnan(values).all(axis=2).ravel()
    offsets = pa.array(np.arange(n * k + 1, dtype=np.int32) * m)
    return pa.ListArray.from_arrays(offsets, pa.array(values.ravel(), from_pandas=True), mask=pa.array(empty))


def _maps(keys: np.ndarray, items: pa.Array) -> pa.MapArray:
    """Maps of keys [n, k] and n * k items."""
    n, k = keys.shape
    offsets = pa.array(np.arange(n + 1, dtype=np.int32) * k)
    return pa.MapArray.from_arrays(offsets, pa.array(keys.ravel(), pa.string()), items)


def _points(longitude: np.ndarray, latitude: np.ndarray) -> pa.Array:
    """Little-endian WKB points."""
    layout = np.dtype([("order", "u1"), ("type", "<u4"), ("x", "<f8"), ("y", "<f8")])
    points = np.zeros(len(longitude), layout)
    points["order"], points["type"], points["x"], points["y"] = 1, 1, longitude, latitude
    fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(21), len(points), [None, pa.py_buffer(points.tobytes())])
    return fixed.cast(pa.binary())


def options_of(spec: Spec) -> dict[str, Any]:
    """How pyarrow writes the spec's files; DuckDB does not read float16 with its bytes split."""
    split = spec.choices["storage"] == "float32"
    return {**PARQUET_OPTIONS, "use_byte_stream_split": PARQUET_OPTIONS["use_byte_stream_split"] if split else False}


def write_empty(folder: Path, spec: Spec) -> Path:
    """A file with the schema and no rows, so that views exist before the first batch does."""
    path = folder / "_schema.parquet"
    if not files.is_whole(path):
        files.write_table(path, schema_of(spec).empty_table())
    return path
