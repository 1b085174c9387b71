"""Previews: every raster once at a low resolution, kept on disk, so that checks read a raster only when it is new.

The only place where the checks read pixels; what they look for is in the neighbouring modules.
"""

import contextlib
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.crs import CRS
from rasterio.transform import Affine

from soc_assets.rasters.coding import scaling_of, shares_of_class
from soc_assets.rasters.opening import open_raster
from soc_assets.rasters.reading import read_decimated
from soc_assets.settings import Channel, Rasters
from soc_assets.storage import digest, files

_LONGEST = 256  # pixels of a preview's longer edge
_STORED = ("values", "scale", "offset", "integer")


@dataclass(frozen=True)
class Preview:
    """A raster at low resolution: nearest pixels, so that no number is in it which is not in the file."""

    values: np.ndarray
    """float32 [h, w] after scale and offset; NaN where there is no value."""
    crs: CRS
    transform: Affine
    """Of the preview's own pixels."""
    scale: float
    offset: float
    integer: bool
    """Whether the file stores integers."""
    masked: tuple[float, ...] = ()
    """Stored numbers that `without` has masked."""

    def stored(self, values: np.ndarray) -> np.ndarray:
        """Values as the numbers that the file holds (float64)."""
        numbers = (np.asarray(values, np.float64) - self.offset) / self.scale
        return np.round(numbers) if self.integer else numbers

    def without(self, numbers: Sequence[float]) -> "Preview":
        """The preview with these stored numbers masked."""
        invalid = np.isin(self.stored(self.values).astype(np.float32), np.asarray(numbers, np.float32))
        values = np.where(invalid, np.float32(np.nan), self.values)
        return replace(self, values=values, masked=(*self.masked, *numbers))

    def at(self, x: np.ndarray, y: np.ndarray, *, upside_down: bool = False) -> np.ndarray:
        """Values [n] at coordinates of the raster's CRS, NaN outside; `upside_down` flips it vertically first."""
        inverse = ~self.transform
        height, width = self.values.shape
        with np.errstate(invalid="ignore"):
            rows, columns = inverse.d * x + inverse.e * y + inverse.f, inverse.a * x + inverse.b * y + inverse.c
            inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        row, column = rows[inside].astype(np.int64), columns[inside].astype(np.int64)
        result = np.full(np.shape(x), np.nan)
        result[inside] = self.values[height - 1 - row if upside_down else row, column]
        return result


class Previews:
    """Previews of catalog rows, read once and kept in a folder under the digest of the raster."""

    def __init__(self, folder: Path, rasters: Rasters) -> None:
        self._folder = folder
        self._channels = {channel.name: channel for channel in rasters.channels}

    def __call__(self, row: Mapping[Any, Any]) -> Preview:
        """The preview of a catalog row.

        Raises:
            RasterError: the file is gone or cannot be read.
        """
        path = self._path(row)
        stored = _load(path)
        if stored is None:
            stored = _read(row, self._channels[row["band"]])
            with files.replacing(path) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **stored)
        height, width = stored["values"].shape
        step = Affine.scale(row["width"] / width, row["height"] / height)
        return Preview(
            stored["values"],
            CRS.from_user_input(row["crs"]),
            Affine(*row["transform"]) * step,
            float(stored["scale"]),
            float(stored["offset"]),
            bool(stored["integer"]),
        )

    def forget_others(self, rows: Iterable[Mapping[Any, Any]]) -> None:
        """Remove the previews of rasters that are not among these catalog rows."""
        kept = {self._path(row) for row in rows}
        for path in self._folder.glob("*.npz"):
            if path not in kept:
                path.unlink(missing_ok=True)

    def _path(self, row: Mapping[Any, Any]) -> Path:
        identity = [row["digest"], int(row["layer"]), row["reading"], _LONGEST, "without overviews"]
        return self._folder / f"{digest.of_values(identity)}.npz"


def _read(row: Mapping[Any, Any], channel: Channel) -> dict[str, np.ndarray]:
    layer = int(row["layer"])
    with open_raster(row["path"], channel.variable, overviews=False) as dataset:
        values = read_decimated(dataset, _LONGEST, channel.fill_values, layer, channel.valid_range, channel.scaling)
        values = values if channel.value is None else shares_of_class(values, channel.value)
        scale, offset = channel.scaling or scaling_of(dataset, layer)
        integer = np.dtype(dataset.dtypes[layer - 1]).kind in "iu"
    return {
        "values": values,
        "scale": np.array(scale, np.float64),
        "offset": np.array(offset, np.float64),
        "integer": np.array(integer),
    }


def _load(path: Path) -> dict[str, np.ndarray] | None:
    """What is kept of a preview; None where there is none or it is damaged."""
    if path.is_file():
        damaged = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError)
        with contextlib.suppress(*damaged), np.load(path, allow_pickle=False) as kept:
            return {name: kept[name] for name in _STORED}
    return None
