"""Unmasked fill values: numbers such as 65535 or -9999 that stand for "no data" and enter the statistics.

A number is suspected where it is an extreme, far from all the rest: a code that producers are known to use, or any
number that occurs often. Numbers are compared as the file stores them, as `fill_values` in soc.toml are.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from soc_assets.ingest.quality.fill_codes import (
    HUGE,
    TEMPERATURES,
    ZERO_CELSIUS,
    absolute_zero,
    exact_code,
    known_codes,
    scaled_codes,
)
from soc_assets.ingest.quality.previews import Preview
from soc_assets.reporting.findings import Finding, Severity, about
from soc_assets.settings import Channel, Rasters

_FEWEST_VALUES = 16  # distinct numbers below which a raster is one of classes, where gaps mean nothing
_TAIL = 0.0005  # share left out on each side when the range of the rest is measured
_OFTEN = 0.002  # minimum share of pixels for an unknown number to count as frequent
_INFLATED = 1.25  # times the standard deviation without it: a number of few pixels counts like a frequent one
_VOID = 0.4  # distance of zero from the others, in widths of their range, at which it is not a value
_FEWEST_VOIDS = 20
_KELVIN = (200.0, 350.0)
_TEMPERATURE_NAME = re.compile(
    r"lst|(?<![a-z])(ts|t2m|tas|tmax|tmin|tmean|tavg|bt)(?![a-z])|temp|kelvin|_k(?![a-z])", re.IGNORECASE
)


@dataclass(frozen=True)
class _Fill:
    number: float
    share: float
    """Share of the preview's valid pixels; 0 where only the exact minimum or maximum shows it."""
    low: float
    high: float
    """Range of the rest, stored numbers."""
    severity: Severity
    why: str = ""
    """What makes it suspicious, other than being a known code or frequent."""


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
        _fills(row, preview, classes=_is_classes(bands[row["band"]]), warm=bool(_TEMPERATURE_NAME.search(row["band"])))
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


def _fills(row: Mapping[Any, Any], preview: Preview, *, classes: bool, warm: bool) -> list[_Fill]:
    numbers = preview.stored(preview.values[~np.isnan(preview.values)])
    values, counts = np.unique(numbers, return_counts=True)
    known = known_codes(values, preview.integer) | (values == 0) | scaled_codes(values, preview.integer)
    known |= absolute_zero(values, preview)
    rest, rest_counts = _without_spikes(values[~known], counts[~known])
    if not len(rest):
        return []
    low, high = _range(rest, rest_counts)
    few = classes or len(rest) < _FEWEST_VALUES
    outside = (values < rest[0]) | (values > rest[-1])
    shares = dict(zip(values[outside].tolist(), (counts[outside] / len(numbers)).tolist(), strict=True))
    ends = preview.stored(np.array([row["min"], row["max"]])).astype(np.float32)  # in the precision of the preview
    rare = [end for end in ends[known_codes(ends, preview.integer)].tolist() if end < rest[0] or end > rest[-1]]
    spread = _std(rest, rest_counts)
    fills = []
    for number in sorted({*shares, *rare}, key=float):
        share = shares.get(number, 0.0)
        seen = _Seen(number, share, share * len(numbers), low, high, spread, warm)
        if judged := _judged(seen, preview, few=few):
            fills.append(_Fill(exact_code(number), share, low, high, *judged))
    return list({fill.number: fill for fill in reversed(fills)}.values())[::-1]


@dataclass(frozen=True)
class _Seen:
    """A number outside the range of the rest."""

    number: float
    share: float
    count: float
    low: float
    high: float
    spread: float
    """Standard deviation of the rest."""
    warm: bool
    """Whether the band's name suggests temperature."""

    @property
    def distance(self) -> float:
        """From the rest, in widths of it."""
        return max(self.low - self.number, self.number - self.high) / max(self.high - self.low, 1e-12)

    @property
    def inflation(self) -> float:
        """How many times as large it makes the standard deviation, about."""
        away = self.number - (self.low + self.high) / 2
        variance = self.spread**2
        return ((variance + self.share * away**2) / variance) ** 0.5 if variance else np.inf


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
    """The range of the values without the tails."""
    cumulated = np.cumsum(counts) / counts.sum()
    first, last = np.searchsorted(cumulated, [_TAIL, 1 - _TAIL])
    return float(values[first]), float(values[min(last, len(values) - 1)])


def _std(values: np.ndarray, counts: np.ndarray) -> float:
    mean = float((values * counts).sum() / counts.sum())
    return float(((values - mean) ** 2 * counts).sum() / counts.sum()) ** 0.5


def _judged(seen: _Seen, preview: Preview, *, few: bool) -> tuple[Severity, str] | None:
    """How sure it is that a number outside low..high is a fill value, and why; None if it is not suspected."""
    one = np.array([seen.number])
    if abs(seen.number) >= HUGE and seen.distance > 1:
        return "error", ""
    if not few and absolute_zero(one, preview)[0]:
        return _of_absolute_zero(seen, preview)
    if seen.number == 0:
        return None if few else _of_zero(seen, preview)
    if not known_codes(one, preview.integer)[0]:
        return None if few else _of_unknown(seen, scaled=bool(scaled_codes(one, preview.integer)[0]))
    if few:
        return ("warning", "") if seen.distance > 1 else None
    if seen.distance > 1:
        return "error" if seen.count >= 5 and seen.share >= 1e-4 else "warning", ""
    return ("warning", "") if seen.distance > 0.25 and seen.count >= 5 else None


def _of_unknown(seen: _Seen, *, scaled: bool) -> tuple[Severity, str] | None:
    """A number that is not a code: frequent and far off, or a code times a scale."""
    if scaled and seen.count >= 5 and seen.distance > 1:
        certain = seen.distance > 3 and seen.share >= 1e-4
        return "error" if certain else "warning", "a producer's code times a scale"
    return ("warning", "") if seen.distance > 1 and seen.count >= 20 and seen.share >= _OFTEN else None


def _of_absolute_zero(seen: _Seen, preview: Preview) -> tuple[Severity, str] | None:
    """0 K among temperatures in degrees Celsius: zero, converted."""
    if not seen.distance > 1 or not _temperatures(seen, preview, -ZERO_CELSIUS):
        return None
    return "error" if seen.count >= 5 else "warning", "0 K in degrees Celsius"


def _of_zero(seen: _Seen, preview: Preview) -> tuple[Severity, str] | None:
    """Zero is a fill value beyond doubt in temperatures; elsewhere it may well be measured."""
    if seen.distance <= 1 or seen.count < 5:
        return _of_voids(seen)
    scales = _temperatures(seen, preview, 0.0) if preview.offset == 0 else set()
    celsius = abs(preview.offset + ZERO_CELSIUS) < 1 and _temperatures(seen, preview, -ZERO_CELSIUS)
    if celsius or scales & {*TEMPERATURES[:2]} or (scales and seen.warm):
        return "error", "0 K among temperatures"
    often = seen.share >= _OFTEN or seen.inflation >= _INFLATED
    return ("warning", "") if seen.distance > 1.5 and often else _of_voids(seen)


def _of_voids(seen: _Seen) -> tuple[Severity, str] | None:
    """Zeros below a landscape that reaches nowhere near zero: voids of a terrain model, pixels outside a mask."""
    frequent = seen.share >= _OFTEN and seen.count >= _FEWEST_VOIDS
    return ("warning", "") if frequent and seen.distance > _VOID else None


def _temperatures(seen: _Seen, preview: Preview, zero: float) -> set[float]:
    """Scales with which the rest are temperatures on the surface of the Earth, in Kelvin less `zero`."""
    ends = np.array([seen.low, seen.high]) * preview.scale + preview.offset
    return {
        scale
        for scale in TEMPERATURES
        if ((_KELVIN[0] <= ends * scale - zero) & (ends * scale - zero <= _KELVIN[1])).all()
    }


def _words(fill: _Fill) -> str:
    share = f"{fill.share:.1%} of the pixels" if fill.share >= 0.0005 else "a few pixels"
    why = f" ({fill.why})" if fill.why else ""
    return (
        f"{share} hold {_number(fill.number)}{why}, far from all others "
        f"({_number(fill.low)} to {_number(fill.high)}): a fill value that nothing masks"
    )


def _cure(band: str, numbers: set[float]) -> str:
    line = ", ".join(_setting(number) for number in sorted(numbers))
    return f"Give the band {band} in [rasters] bands of soc.toml: fill_values = [{line}]"


def _setting(value: float) -> str:
    """As it is written in soc.toml, with all the digits that single precision has."""
    return _number(value) if value == int(value) else str(np.float32(value))


def _number(value: float) -> str:
    if abs(value) >= 1e15:
        return repr(value)
    return str(int(value)) if value == int(value) else f"{value:.6g}"
