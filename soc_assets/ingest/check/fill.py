"""Fill values that nothing masks: numbers such as 65535 or -9999 that stand for "no data" and enter the statistics.

A number is suspected where it is an extreme, far from all the rest: a code that producers are known to use, or any
number that occurs often. Numbers are compared as the file stores them, as `fill_values` in soc.toml are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from soc_assets.ingest.check.findings import Finding, Severity, about
from soc_assets.ingest.check.pixels import Preview
from soc_assets.settings import Channel, Rasters

_BYTES = range(249, 256)  # fill codes of MODIS products in bytes
_CODES = (
    *range(32761, 32768),  # MODIS in 16 bits
    *(65533, 65534, 65535, -32768, -32767, -28672, -3000, -9999, -99999, -999, -99, 9999, 99999, 999999),
    *(2147483647, -2147483648, 4294967295, 1e20, -1e20, 1e30, -1e30, 9.969209968386869e36),
    *(3.4028234663852886e38, -3.4028234663852886e38, -3.4e38, 3.4e38),
)
_HUGE = 1e19  # no quantity of a landscape is that large
_FEWEST_VALUES = 16  # distinct numbers below which a raster is one of classes, where gaps mean nothing
_TAIL = 0.0005  # share left out on each side when the range of the rest is measured
_OFTEN = 0.002  # share of pixels from which an unknown number counts as frequent
_KELVIN = (200.0, 350.0)
_MODIS_KELVIN = 0.02  # scale of MODIS land surface temperature, which files often lack as a tag


@dataclass(frozen=True)
class _Fill:
    number: float
    share: float
    """Share of the preview's valid pixels; 0 where only the exact minimum or maximum shows it."""
    low: float
    high: float
    """Range of the rest, stored numbers."""
    severity: Severity


def unmasked_fills(
    rows: Sequence[Mapping[Any, Any]], previews: Sequence[Preview], rasters: Rasters
) -> tuple[list[Finding], list[Preview]]:
    """Findings about fill values, and the previews with those values masked, for the checks that follow.

    Args:
        rows: the raster catalog.
        previews: of each row.
        rasters: the bands, for the fill values set already and for those that are classes.
    """
    bands = {channel.name: channel for channel in rasters.channels}
    fills = [
        _fills(row, preview, classes=_is_classes(bands[row["band"]]))
        for row, preview in zip(rows, previews, strict=True)
    ]
    together = {name: set(band.fill_values) for name, band in bands.items()}
    for row, found in zip(rows, fills, strict=True):
        together[row["band"]] |= {fill.number for fill in found}
    findings = [
        about(row, "fill_values", fill.severity, _words(fill), _cure(row["band"], together[row["band"]]))
        for row, found in zip(rows, fills, strict=True)
        for fill in found
    ]
    cleaned = [
        preview.without([fill.number for fill in found]) if found else preview
        for preview, found in zip(previews, fills, strict=True)
    ]
    return findings, cleaned


def _is_classes(channel: Channel) -> bool:
    """Whether the values are codes, or ones and zeros of one class: any of them may be common."""
    return channel.value is not None or channel.resampling == "mode"


def _fills(row: Mapping[Any, Any], preview: Preview, *, classes: bool) -> list[_Fill]:
    numbers = preview.stored(preview.values[~np.isnan(preview.values)])
    values, counts = np.unique(numbers, return_counts=True)
    known = _known(values, preview.integer) | (values == 0)
    rest, rest_counts = _without_spikes(values[~known], counts[~known])
    if not len(rest):
        return []
    low, high = _range(rest, rest_counts)
    few = classes or len(rest) < _FEWEST_VALUES
    outside = (values < rest[0]) | (values > rest[-1])
    shares = dict(zip(values[outside].tolist(), (counts[outside] / len(numbers)).tolist(), strict=True))
    ends = preview.stored(np.array([row["min"], row["max"]])).astype(np.float32)  # as the preview holds its numbers
    rare = [end for end in ends[_known(ends, preview.integer)].tolist() if end < rest[0] or end > rest[-1]]
    fills = []
    for number in sorted({*shares, *rare}, key=float):
        share = shares.get(number, 0.0)
        if severity := _severity(number, share, len(numbers), low, high, preview, few=few):
            fills.append(_Fill(_exact(number), share, low, high, severity))
    return list({fill.number: fill for fill in reversed(fills)}.values())[::-1]


def _known(numbers: np.ndarray, integer: bool) -> np.ndarray:
    """Which numbers producers use for "no data", or are so large that they can be nothing else."""
    codes = [*_CODES, *(_BYTES if integer and (numbers >= 0).all() and (numbers <= 255).all() else ())]
    return np.isin(numbers.astype(np.float32), np.array(codes, np.float32)) | (np.abs(numbers) >= _HUGE)


def _exact(number: float) -> float:
    """The code that the number, read in single precision, is: 2147483647, not 2147483648."""
    return next((float(code) for code in _CODES if np.float32(code) == np.float32(number)), number)


def _without_spikes(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct numbers without a frequent first or last one that lies farther off than the others reach."""
    total = counts.sum()
    for _ in range(4):
        if len(values) <= _FEWEST_VALUES:
            break
        often = counts >= max(20, _OFTEN * total)
        if often[-1] and values[-1] - values[-2] > values[-2] - values[0]:
            values, counts = values[:-1], counts[:-1]
        elif often[0] and values[1] - values[0] > values[-1] - values[1]:
            values, counts = values[1:], counts[1:]
        else:
            break
    return values, counts


def _range(values: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Between which numbers all but the tails lie."""
    cumulated = np.cumsum(counts) / counts.sum()
    first, last = np.searchsorted(cumulated, [_TAIL, 1 - _TAIL])
    return float(values[first]), float(values[min(last, len(values) - 1)])


def _severity(
    code: float, share: float, pixels: int, low: float, high: float, preview: Preview, *, few: bool
) -> Severity | None:
    """How sure it is that a number outside low..high is a fill value; None if it is not suspected."""
    distance = max(low - code, code - high) / max(high - low, 1e-12)
    count = share * pixels
    if abs(code) >= _HUGE and distance > 1:
        return "error"
    if code == 0:
        return None if few else _severity_of_zero(distance, count, share, low, high, preview)
    if not _known(np.array([code]), preview.integer)[0]:
        return "warning" if distance > 1 and not few and count >= 20 and share >= _OFTEN else None
    if few:
        return "warning" if distance > 1 else None
    if distance > 1:
        return "error" if count >= 5 and share >= 1e-4 else "warning"
    return "warning" if distance > 0.25 and count >= 5 else None


def _severity_of_zero(
    distance: float, count: float, share: float, low: float, high: float, preview: Preview
) -> Severity | None:
    """Zero is a fill value beyond doubt in temperatures in Kelvin; elsewhere it may well be measured."""
    if distance <= 1 or count < 5:
        return None
    ends = np.array([low, high]) * preview.scale + preview.offset
    kelvin = [((_KELVIN[0] <= ends * factor) & (ends * factor <= _KELVIN[1])).all() for factor in (1, _MODIS_KELVIN)]
    if any(kelvin) and preview.offset == 0:
        return "error"
    return "warning" if distance > 1.5 and share >= _OFTEN else None


def _words(fill: _Fill) -> str:
    share = f"{fill.share:.1%} of the pixels" if fill.share >= 0.0005 else "a few pixels"
    return (
        f"{share} hold {_number(fill.number)}, far from all others "
        f"({_number(fill.low)} to {_number(fill.high)}): a fill value that nothing masks"
    )


def _cure(band: str, numbers: set[float]) -> str:
    line = ", ".join(_number(number) for number in sorted(numbers))
    return f"Give the band {band} in [rasters] bands of soc.toml: fill_values = [{line}]"


def _number(value: float) -> str:
    """As it is written in soc.toml."""
    if abs(value) >= 1e15:
        return repr(value)
    return str(int(value)) if value == int(value) else f"{value:.6g}"
