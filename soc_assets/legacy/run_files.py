"""The files of the original script: `run_<timestamp>/batch_<n>_size_<rows>.parquet`, object columns written by pandas.

An image is a list of 768 numbers, or of 1 or 144 lists of 768. `channel_time_embeddings` is a dict from `LAI_2012` to
an image or None, which Parquet keeps as a struct (with every key of the file in every row), as a map, or as text. The
sample's year is not there: it is the newest year of which the sample has an image.
"""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from soc_assets.errors import FeaturesError
from soc_assets.settings import SEASONS

NEEDED = ("longitude", "latitude", "organic_carbon", "elevation_embedding", "channel_time_embeddings")
KEY = re.compile(rf"(?P<band>.+)_(?P<year>\d{{4}})(?:_(?P<season>{'|'.join(SEASONS)}))?")
_SHAPES = (TypeError, AttributeError, LookupError)  # of text that holds something else than dicts and lists of numbers
_ROWS = 32  # read at a time: 32 samples of 144 tokens are 370 MB as float32
_MOST_NUMBERS = 1024 * 1024  # of an image: far above 144 tokens of 768
_MOST_TEXT = 2**28  # bytes of a cell: 110 images of 144 tokens of 768 numbers
_TEXT_IMAGES = pa.list_(pa.list_(pa.float32()))


@dataclass(frozen=True)
class OldRows:
    """Some rows [n] of an old file.

    Attributes:
        longitude: WGS84 degrees, NaN where missing; so are `latitude` and `organic_carbon` (g/kg).
        elevation: images of the reference band.
        channels: key (`LAI_2012`) -> images, null where the row has none.
    """

    longitude: np.ndarray
    latitude: np.ndarray
    organic_carbon: np.ndarray
    elevation: pa.Array
    channels: dict[str, pa.Array]

    def present(self, key: str) -> np.ndarray:
        """Which rows [n] have an image under a key."""
        return np.array([image_of(item) is not None for item in self.channels[key]])


def old_batches(folder: Path) -> list[Path]:
    """The batches of a run, by their numbers; `folder` is the run, or holds one run.

    Raises:
        FeaturesError: there are none, or several runs.
    """
    if not folder.is_dir():
        raise FeaturesError(f"{folder} is not a folder: name the run_<timestamp> folder with the batches.")
    pattern = "batch_*_size_*.parquet"
    found = list(folder.glob(pattern))
    runs = [] if found else sorted({path.parent for path in folder.glob(f"run_*/{pattern}")})
    if len(runs) > 1:
        names = ", ".join(run.name for run in runs[:5])
        raise FeaturesError(f"{folder} holds {len(runs)} runs ({names}): name one of them.")
    found = found or [path for run in runs for path in run.glob(pattern)]
    if not found:
        raise FeaturesError(f"{folder} holds no {pattern}, and no run_* folder with any.")
    return sorted(found, key=lambda path: [int(number) for number in re.findall(r"\d+", path.name)])


def read_old(path: Path) -> Iterator[OldRows]:
    """Read an old file, some rows at a time.

    Raises:
        FeaturesError: the file is damaged, lacks a column, or unpacks to far more than images are.
    """
    try:
        with pq.ParquetFile(path) as file:
            lacking = [name for name in NEEDED if name not in file.schema_arrow.names]
            if lacking:
                there = ", ".join(file.schema_arrow.names)
                raise FeaturesError(f"{path} has no column {lacking[0]}; it has {there}.")
            _require_size(path, file)
            for batch in file.iter_batches(_ROWS, columns=list(NEEDED)):
                yield _rows(batch)
    except (pa.ArrowException, OSError, ValueError, SyntaxError, RecursionError, *_SHAPES) as error:
        found = f"{type(error).__name__}: {error}" if isinstance(error, _SHAPES) else error
        raise FeaturesError(f"{path} cannot be read as a batch of the original script: {found}") from None


def _require_size(path: Path, file: pq.ParquetFile) -> None:
    """Refuse a file of some kilobytes that unpacks to gigabytes, before it does."""
    told = "The original script writes nothing of the kind: take the file out of the folder, or make it again."
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        for column in map(group.column, range(group.num_columns)):
            if column.path_in_schema.partition(".")[0] in NEEDED and column.num_values > group.num_rows * _MOST_NUMBERS:
                found = f"{column.num_values:,} numbers in {group.num_rows:,} rows"
                raise FeaturesError(
                    f"{path}: {column.path_in_schema} has {found}, more than {_MOST_NUMBERS:,} for an image. {told}"
                )
    texts = [name for name in NEEDED if _is_text(file.schema_arrow.field(name).type)]
    with pq.ParquetFile(path, read_dictionary=texts) as packed:
        for batch in packed.iter_batches(_ROWS, columns=texts) if texts else ():
            for name, cells in zip(texts, batch.columns, strict=True):
                lengths = pc.call_function("binary_length", [cells.dictionary])
                longest = pc.call_function("max", [lengths]).as_py() or 0
                if longest > _MOST_TEXT:
                    raise FeaturesError(
                        f"{path}: a cell of {name} has {longest:,} bytes, more than {_MOST_TEXT:,}. {told}"
                    )


def image_of(item: pa.Scalar) -> np.ndarray | None:
    """An image as float32 [tokens, width]; None where it, or any number of it, is missing."""
    if not item.is_valid or not len(values := item.values):
        return None
    tokens = len(values)
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type) or pa.types.is_fixed_size_list(values.type):
        flat = values.flatten()
        nulls = values.null_count
    else:
        flat, nulls, tokens = values, 0, 1
    if nulls or flat.null_count or not len(flat):
        return None
    image = flat.to_numpy(zero_copy_only=False).astype(np.float32).reshape(tokens, -1)
    image = image.reshape(1, -1) if image.shape[1] == 1 else image  # 768 lists of one number
    return image if np.isfinite(image).all() else None


def _rows(batch: pa.RecordBatch) -> OldRows:
    longitude, latitude, carbon = (batch[name].cast(pa.float64()).to_numpy(zero_copy_only=False) for name in NEEDED[:3])
    elevation, channels = batch["elevation_embedding"], batch["channel_time_embeddings"]
    if _is_text(elevation.type):
        elevation = pa.array([_nested(_parsed(text)) for text in elevation.to_pylist()], _TEXT_IMAGES)
    return OldRows(longitude, latitude, carbon, elevation, _by_key(channels))


def _by_key(channels: pa.Array) -> dict[str, pa.Array]:
    kind = channels.type
    if pa.types.is_struct(kind):
        return {field.name: _field(channels, field.name) for field in kind}
    if pa.types.is_map(kind):
        return _by_key_of_map(channels)
    if _is_text(kind):
        parsed = [_parsed(text) or {} for text in channels.to_pylist()]
        keys = dict.fromkeys(key for row in parsed for key in row)
        return {key: pa.array([_nested(row.get(key)) for row in parsed], _TEXT_IMAGES) for key in keys}
    raise FeaturesError(f"channel_time_embeddings is {kind}: a dict (struct), a map or text was expected.")


def _field(channels: pa.StructArray, name: str) -> pa.Array:
    """One key of a struct; null also where the whole struct is."""
    child = channels.field(name)
    if not channels.null_count:
        return child
    places = pa.array([row if there else None for row, there in enumerate(channels.is_valid().to_pylist())], pa.int64())
    return child.take(places)


def _by_key_of_map(channels: pa.MapArray) -> dict[str, pa.Array]:
    offsets, keys = channels.offsets.to_pylist(), channels.keys.to_pylist()
    places: dict[str, list[int | None]] = {}
    for row in range(len(channels)):
        for place in range(offsets[row], offsets[row + 1]):
            places.setdefault(keys[place], [None] * len(channels))[row] = place
    return {key: channels.items.take(pa.array(found, pa.int64())) for key, found in places.items()}


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _parsed(text: str | None) -> Any:
    """A value written as JSON or as Python prints it; nothing is executed."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return ast.literal_eval(text)


def _nested(image: Any) -> list[list[float]] | None:
    if not image:
        return None
    return image if isinstance(image[0], list) else [image]
