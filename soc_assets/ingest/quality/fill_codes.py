"""Numbers that stand for "no data" in the files of producers: codes, codes times a scale, and 0 K in degrees Celsius.

Whether such a number means "no data" in a raster is decided in `ingest.quality.unmasked_fill`.
"""

import numpy as np

from soc_assets.ingest.quality.previews import Preview

_BYTES = range(249, 256)  # fill codes of MODIS products in bytes
_CODES = (
    *range(32761, 32768),  # MODIS in 16 bits
    *(65533, 65534, 65535, -32768, -32767, -28672, -3000, -9999, -99999, -999, -99, 9999, 99999, 999999),
    *(2147483647, -2147483648, 4294967295, 1e20, -1e20, 1e30, -1e30, 9.969209968386869e36),
    *(3.4028234663852886e38, -3.4028234663852886e38, -3.4e38, 3.4e38),
)
HUGE = 1e18  # no geophysical quantity is that large
ZERO_CELSIUS = 273.15
TEMPERATURES = (1.0, 0.02, 0.1, 0.01)  # scales of temperatures, MODIS' first, which files often lack as a tag
_BELOW_DEGREES = 0.16  # by which 0 K in degrees Celsius may be rounded: -273, -273.1, -273.2
_SCALED = np.sort(
    [
        code * scale + offset
        for scale in (0.1, 0.01, 0.001, 0.0001, 0.02)
        for offset in (0.0, -ZERO_CELSIUS)
        for code in (*_BYTES, *range(32761, 32768), 65533, 65534, 65535, -32768, -28672, -9999)
        if offset == 0 or scale in TEMPERATURES
    ]
)  # in floating-point files


def known_codes(numbers: np.ndarray, integer: bool) -> np.ndarray:
    """Which numbers producers use for "no data", or are so large that they can be nothing else."""
    codes = [*_CODES, *(_BYTES if integer and (numbers >= 0).all() and (numbers <= 255).all() else ())]
    return np.isin(numbers.astype(np.float32), np.array(codes, np.float32)) | (np.abs(numbers) >= HUGE)


def scaled_codes(numbers: np.ndarray, integer: bool) -> np.ndarray:
    """Which numbers of a floating-point file are a known code times a usual scale: 1310.7 is 65535 times 0.02."""
    if integer:
        return np.zeros(len(numbers), bool)
    place = np.clip(np.searchsorted(_SCALED, numbers), 1, len(_SCALED) - 1)
    apart = np.minimum(np.abs(numbers - _SCALED[place - 1]), np.abs(numbers - _SCALED[place]))
    return apart <= 3e-7 * (np.abs(numbers) + ZERO_CELSIUS * (numbers < 0))


def absolute_zero(numbers: np.ndarray, preview: Preview) -> np.ndarray:
    """Which stored numbers are 0 K in degrees Celsius, rounded to tenths and in any usual scale."""
    celsius = (numbers * preview.scale + preview.offset)[:, None] * np.array(TEMPERATURES)
    return (np.abs(celsius + ZERO_CELSIUS) <= _BELOW_DEGREES).any(axis=1) & (numbers != 0)


def exact_code(number: float) -> float:
    """The code that the number, read in single precision, is: 2147483647, not 2147483648."""
    return next((float(code) for code in _CODES if np.float32(code) == np.float32(number)), number)
