"""How the stored numbers of a raster become values, and which of them mean nodata.

Only numbers are dealt with here, pixel by pixel; reading is in `rasters.reading`, statistics are in
`ingest.catalog.statistics`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soc_assets.errors import RasterError
from soc_assets.rasters.cf import Dataset, missing_values


@dataclass(frozen=True)
class Coding:
    """How the stored numbers of a band become values, and which of them are nodata.

    Attributes:
        dtype: of the stored numbers.
        absent: stored numbers that mean "no data": the nodata tag, `missing_value` of NetCDF and the fill values,
            as far as the type holds them.
        scale: factor of the settings, or of the file's tags.
        offset: added after scaling.
        valid_range: lowest and highest stored number that is a value, or None.
    """

    dtype: np.dtype
    absent: np.ndarray
    scale: float
    offset: float
    valid_range: tuple[float, float] | None = None

    @classmethod
    def of_band(
        cls,
        dataset: Dataset,
        fill_values: Sequence[float] = (),
        band: int = 1,
        valid_range: tuple[float, float] | None = None,
        scaling: tuple[float, float] | None = None,
    ) -> "Coding":
        """The coding of a band, from the file's tags, and the fill values, valid range and scaling of the settings.

        Raises:
            RasterError: the band holds complex numbers.
        """
        name, nodata = str(dataset.dtypes[band - 1]), dataset.nodatavals[band - 1]
        if name.startswith("complex"):
            file = dataset.name.rpartition("/")[2]
            raise RasterError(
                f"The raster {dataset.name} holds complex numbers ({name}) where real ones are expected. Take "
                f"amplitude or phase: rio convert DERIVED_SUBDATASET:AMPLITUDE:{file} amplitude.tif"
            )
        dtype = np.dtype(name)
        tagged = [*([] if nodata is None else [nodata]), *missing_values(dataset, band)]
        absent = _storable([*fill_values, *tagged], dtype)
        return cls(dtype, absent, *(scaling or scaling_of(dataset, band)), valid_range)

    def scaled(self, raw: np.ndarray, dtype: type[np.floating]) -> np.ndarray:
        """Stored numbers in any shape as values of a floating type, computed in float64; may be `raw` itself."""
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = raw if (self.scale, self.offset) == (1, 0) else raw.astype(np.float64) * self.scale + self.offset
            return scaled.astype(dtype, copy=False)

    def invalid(self, raw: np.ndarray, values: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray | None:
        """Where there is no value, in the shape of all three; None where every pixel has one.

        Args:
            raw: stored numbers.
            values: what `scaled` makes of them.
            mask: zero where the mask or alpha band says that there is no value.
        """
        found = [raw == number for number in self.absent]
        if mask is not None:
            found.append(mask == 0)
        if self.valid_range is not None:
            low, high = self.valid_range
            found.append((raw < low) | (raw > high))
        if not self._always_finite():
            with np.errstate(over="ignore"):
                found.append(~np.isfinite(values.astype(np.float32, copy=False)))
        return np.logical_or.reduce(found) if found else None

    def _always_finite(self) -> bool:
        """Whether every stored number is a finite value in float32, so that no pixel need be checked."""
        if self.dtype.kind not in "iu":
            return False
        info = np.iinfo(self.dtype)
        furthest = max(-int(info.min), int(info.max)) * abs(self.scale) + abs(self.offset)
        return furthest <= float(np.finfo(np.float32).max)


def scaling_of(dataset: Dataset, band: int) -> tuple[float, float]:
    """Scale and offset that the file states for a band."""
    return dataset.scales[band - 1], dataset.offsets[band - 1]


def shares_of_class(values: np.ndarray, value: int) -> np.ndarray:
    """1 where a pixel belongs to the class, 0 where it belongs to another, NaN where it has no value; float32."""
    return np.where(np.isnan(values), np.float32(np.nan), (values == value).astype(np.float32))


def _storable(numbers: Sequence[float], dtype: np.dtype) -> np.ndarray:
    """The numbers that a raster of this dtype can hold, in this dtype (uint8 cannot hold 65535)."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        numbers = [n for n in numbers if math.isfinite(n) and n == int(n) and info.min <= n <= info.max]
        return np.array([int(n) for n in numbers], dtype)
    with np.errstate(over="ignore"):
        return np.array(numbers, dtype)
