"""Upside-down rasters: steps that fit the others of their band only when flipped vertically.

Correlations are taken at points of a common grid over the reference raster, so that files of any CRS and pixel size can
be compared. Without other steps a band is compared with the other bands, which gives no more than a hint.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from soc_assets.geo.grid import move
from soc_assets.ingest.quality.previews import Preview
from soc_assets.reporting.findings import Finding, Severity, about

_EDGE = 64  # points along each edge of the common grid
_FEWEST = 200  # points with values in both rasters
_CLIP = (1, 99)  # percentiles to which values are clipped, so that a few extremes do not decide
_Row = Mapping[Any, Any]


def upside_down(rows: Sequence[_Row], previews: Sequence[Preview], reference: str) -> list[Finding]:
    """Findings about rasters that seem to be stored upside down.

    Args:
        rows: the raster catalog.
        previews: of each row, fill values masked.
        reference: the band over whose extent rasters are compared.
    """
    points = _Points(next(preview for row, preview in zip(rows, previews, strict=True) if row["band"] == reference))
    upright = np.array([points.values(preview) for preview in previews])
    turned = np.array([points.values(preview, upside_down=True) for preview in previews])
    groups: dict[tuple[str, str], list[int]] = {}
    for i, row in enumerate(rows):
        groups.setdefault((str(row["band"]), f"{row['season']} {row.get('tile', '')}"), []).append(i)
    findings, suspects = [], set()
    for members in groups.values():
        for i, severity, found in _within(members, upright, turned):
            suspects.add(i)
            findings.append(_finding(rows[i], severity, found))
    return [*findings, *_against_other_bands(rows, upright, turned, suspects)]


class _Points:
    """The common grid: centres of `_EDGE` x `_EDGE` cells over a raster, in the CRS of each raster."""

    def __init__(self, reference: Preview) -> None:
        height, width = reference.values.shape
        along = (np.arange(_EDGE) + 0.5) / _EDGE
        columns, rows = (axis.ravel() for axis in np.meshgrid(along * width, along * height))
        step = reference.transform
        x, y = step.a * columns + step.b * rows + step.c, step.d * columns + step.e * rows + step.f
        self._crs = reference.crs
        self._places = {reference.crs.to_wkt(): (x, y)}

    def values(self, preview: Preview, *, upside_down: bool = False) -> np.ndarray:
        """The raster's values at the points [n], clipped to its inner percentiles; NaN where there is none."""
        wkt = preview.crs.to_wkt()
        if wkt not in self._places:
            self._places[wkt] = move(self._crs, preview.crs, *next(iter(self._places.values())))
        values = preview.at(*self._places[wkt], upside_down=upside_down)
        if np.isnan(values).all():
            return values
        return np.clip(values, *np.nanpercentile(values, _CLIP))


def _within(members: list[int], upright: np.ndarray, turned: np.ndarray) -> list[tuple[int, Severity, str]]:
    """Steps of one band and season that fit the median of the others better when flipped vertically."""
    if len(members) < 2:
        return []
    as_is = np.array([[_correlation(upright[i], upright[j]) for j in members] for i in members])
    flipped = np.array([[_correlation(turned[i], upright[j]) for j in members] for i in members])
    np.fill_diagonal(as_is, np.nan)
    np.fill_diagonal(flipped, np.nan)
    result: list[tuple[int, Severity, str]] = []
    for k, i in enumerate(members):
        if np.isnan(as_is[k]).all():
            continue
        before, after = float(np.nanmedian(as_is[k])), float(np.nanmedian(flipped[k]))
        rest = np.delete(np.delete(as_is, k, 0), k, 1)
        agree = float(np.nanmedian(rest)) if len(members) > 2 and not np.isnan(rest).all() else float("nan")
        if len(members) == 2:
            severity = "warning" if after >= 0.6 and after - before >= 0.4 else None
        elif after >= 0.7 and after - before >= 0.4 and agree >= 0.6:
            severity = "error"
        else:
            severity = "warning" if after >= 0.45 and after - before >= 0.25 else None
        if severity:
            which = "the other step" if len(members) == 2 else "the other steps"
            doubt = "; one of the two is upside-down" if len(members) == 2 else ""
            found = f"correlation with {which} is {before:.2f}, flipped vertically {after:.2f}{doubt}"
            result.append((i, severity, found))
    return result


def _against_other_bands(
    rows: Sequence[_Row], upright: np.ndarray, turned: np.ndarray, suspects: set[int]
) -> list[Finding]:
    """Bands of a single raster that resemble most other bands more, in either sense, when flipped vertically."""
    bands: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if i not in suspects:
            bands.setdefault(str(row["band"]), []).append(i)
    latest = {name: members[-1] for name, members in bands.items()}
    findings = []
    for name, members in bands.items():
        i, others = members[0], [other for band, other in latest.items() if band != name]
        if len(members) > 1 or len(others) < 2:
            continue
        before, after = (
            float(np.median([np.nan_to_num(abs(_correlation(values[i], upright[other]))) for other in others]))
            for values in (upright, turned)
        )
        if after >= 0.5 and after - before >= 0.3:
            found = f"resemblance to the other bands is {before:.2f}, flipped vertically {after:.2f} (a hint only)"
            findings.append(_finding(rows[i], "warning", found))
    return findings


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    both = ~(np.isnan(a) | np.isnan(b))
    if both.sum() < _FEWEST:
        return float("nan")
    x, y = a[both] - a[both].mean(), b[both] - b[both].mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 0 else float("nan")


def _finding(row: _Row, severity: Severity, found: str) -> Finding:
    return about(
        row,
        "orientation",
        severity,
        found,
        "The rows seem to be stored from south to north while the georeferencing says north to south: turn the pixels "
        "about and keep the georeferencing (numpy.flipud), or download the file again.",
    )
