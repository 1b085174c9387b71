"""Wild pixels: a handful of numbers, far from all others, that dominate the standard deviation of a band.

A long tail does not count, however long: between wild pixels and the rest there is a gap. Where the preview and the
exact extremes make them likely, the whole raster is read, so that few pixels in a large raster are found too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rasterio.windows import Window

from soc_assets.ingest.catalog.statistics import Statistics
from soc_assets.ingest.quality.previews import Preview
from soc_assets.rasters.opening import open_raster
from soc_assets.rasters.reading import read_values
from soc_assets.reporting.findings import Finding, about
from soc_assets.runtime import interrupts
from soc_assets.settings import Channel, Rasters

_TAIL = 0.5  # per cent of the pixels on either side that are not counted among the rest
_FEWEST_VALUES = 16  # distinct numbers below which a raster is one of classes
_GAP = 5.0  # times farther from the median than the last of the rest
_FAR = 10.0  # interquartile ranges beyond the quartile
_INFLATED = 1.5  # times the standard deviation without them
_CHUNK = 2**22  # pixels read at once
_Row = Mapping[Any, Any]


@dataclass(frozen=True)
class _Middle:
    """Where nearly all values lie."""

    median: float
    low: float
    high: float
    """Without the tails on either side."""
    least: float
    most: float
    """Beyond which a value is far off."""


@dataclass(frozen=True)
class _Wild:
    count: int
    pixels: int
    extremes: tuple[float, float]
    rest: Statistics
    inflation: float


def wild_pixels(rows: Sequence[_Row], previews: Sequence[Preview], rasters: Rasters) -> list[Finding]:
    """Rasters whose standard deviation is inflated by a few pixels.

    Args:
        rows: the raster catalog.
        previews: of each row, with the fill values found masked.
        rasters: the bands, for those that are classes, and their fill values.
    """
    bands = {channel.name: channel for channel in rasters.channels}
    found: list[tuple[_Row, _Wild, Preview]] = []
    bounds: dict[str, list[float]] = {}
    for row, preview in zip(rows, previews, strict=True):
        wild = None if _is_classes(bands[row["band"]]) else _wild(row, preview, bands[row["band"]])
        low, high = (wild.rest.low, wild.rest.high) if wild else (row["min"], row["max"])
        bounds.setdefault(row["band"], []).extend(preview.stored(np.array([low, high])).tolist())
        if wild:
            found.append((row, wild, preview))
    return [
        about(row, "wild_pixels", "warning", _words(wild), _cure(row["band"], bounds[row["band"]], preview.integer))
        for row, wild, preview in found
    ]


def _is_classes(channel: Channel) -> bool:
    return channel.value is not None or channel.resampling == "mode"


def _wild(row: _Row, preview: Preview, channel: Channel) -> _Wild | None:
    """The wild pixels of a raster; None where there are none."""
    middle = _middle(preview.values)
    if middle is None:
        return None
    ends = np.array([row["min"], row["max"]])
    masked = preview.masked  # fill values that are in the catalog's extremes, but not in the preview
    if not _likely(ends, middle) and not masked:
        return None
    shown = preview.values[~np.isnan(preview.values)]
    if masked and not _likely(np.array([shown.min(), shown.max()]), middle):
        return None
    return _exactly(row, channel, masked, middle)


def _middle(values: np.ndarray) -> _Middle | None:
    """Where the values lie, without one that most pixels share (zero rain, no snow); None where they are classes."""
    valid = values[~np.isnan(values)].astype(np.float64)
    distinct, counts = np.unique(valid, return_counts=True)
    if len(distinct) < _FEWEST_VALUES:
        return None
    usual = int(counts.argmax())
    if 2 * counts[usual] > len(valid):
        valid = valid[valid != distinct[usual]]
    low, first, median, third, high = np.percentile(valid, (_TAIL, 25, 50, 75, 100 - _TAIL))
    width = third - first or (high - low) / 2
    if not width > 0 or len(np.unique(valid)) < _FEWEST_VALUES:
        return None
    return _Middle(float(median), float(low), float(high), float(first - _FAR * width), float(third + _FAR * width))


def _likely(ends: np.ndarray, middle: _Middle) -> bool:
    """Whether the extremes lie far off, with room for a gap."""
    below = ends[0] < min(middle.least, middle.median - _GAP * (middle.median - middle.low))
    return bool(below or ends[1] > max(middle.most, middle.median + _GAP * (middle.high - middle.median)))


def _exactly(row: _Row, channel: Channel, masked: Sequence[float], middle: _Middle) -> _Wild | None:
    """Look at every pixel: the statistics of the middle, and all values beyond it."""
    inside, beyond = Statistics(), []
    with open_raster(row["path"]) as dataset:
        step = max(_CHUNK // dataset.width, 1)
        for top in range(0, dataset.height, step):
            interrupts.check()
            window = Window.from_slices((top, min(top + step, dataset.height)), (0, dataset.width))
            fills = (*channel.fill_values, *masked)
            values = read_values(dataset, window, fills, int(row["layer"]), channel.valid_range, channel.scaling)
            values = values[~np.isnan(values)].astype(np.float64)
            within = (values >= middle.low) & (values <= middle.high)
            inside = inside.merged(Statistics.of_values(values[within]))
            beyond.append(values[~within])
    tail = np.sort(np.concatenate(beyond))
    below, above = tail[tail < middle.low], tail[tail > middle.high]
    near_below = middle.median - _beyond_gap(middle.median - below[::-1], middle.median - middle.low)
    near_above = middle.median + _beyond_gap(above - middle.median, middle.high - middle.median)
    wild = np.concatenate([below[below < min(near_below, middle.least)], above[above > max(near_above, middle.most)]])
    rest = inside.merged(Statistics.of_values(tail[~np.isin(tail, wild)]))
    whole = rest.merged(Statistics.of_values(wild))
    if not len(wild) or len(wild) > _TAIL / 100 * whole.count or not rest.std > 0:
        return None
    inflation = whole.std / rest.std
    if inflation < _INFLATED:
        return None
    return _Wild(len(wild), whole.count, (float(wild.min()), float(wild.max())), rest, inflation)


def _beyond_gap(distances: np.ndarray, first: float) -> float:
    """The one of ascending distances [n], after `first`, whose next is `_GAP` times as far; inf if there is none."""
    inner = np.concatenate([[first], distances])
    gaps = np.flatnonzero((inner[1:] > _GAP * inner[:-1]) & (inner[:-1] > 0))
    return float(inner[gaps[0]]) if len(gaps) else np.inf


def _words(wild: _Wild) -> str:
    low, high = wild.extremes
    numbers = f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"
    return (
        f"{wild.count} of {wild.pixels:,} pixels ({numbers}) lie far from all others ({wild.rest.low:.6g} to "
        f"{wild.rest.high:.6g}), with nothing between, and make the standard deviation {wild.inflation:.3g} times as "
        f"large ({wild.rest.std:.4g} without them): all other pixels would look alike"
    )


def _cure(band: str, numbers: list[float], integer: bool) -> str:
    low, high = min(numbers), max(numbers)
    line = f"{low:.0f}, {high:.0f}" if integer else f"{_down(low)!r}, {-_down(-high)!r}"
    return (
        f"Mend the pixels, or leave them out: give the band {band} in [rasters] bands of soc.toml "
        f"valid_range = [{line}] (numbers as the file stores them)."
    )


def _down(number: float) -> float:
    """A number with six digits that is no larger."""
    if not number or not np.isfinite(number):
        return number
    scale = 10.0 ** (5 - np.floor(np.log10(abs(number))))
    return float(f"{np.floor(number * scale) / scale:.6g}")
