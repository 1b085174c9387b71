"""Which samples have the images that they need: by band and step, by sample, and at the edge of the reference grid.

Shares of valid pixels are taken from previews: exact for small rasters, close for large ones. The caller tells which
steps a sample needs.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from rasterio.transform import Affine

from soc_assets.geo.grid import Grid
from soc_assets.geo.reference_grid import reference_grid
from soc_assets.ingest.quality.previews import Preview
from soc_assets.reporting.findings import Finding
from soc_assets.runtime import progress
from soc_assets.settings import Rasters

_LOW = 0.5  # share of images below which a band is worth a warning
_MANY_AT_EDGE = 0.1
_Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Need:
    """Samples that read one step of a band."""

    band: str
    year: int | None
    season: str | None
    members: np.ndarray
    """Positions [k] of the samples."""


@dataclass(frozen=True)
class Coverage:
    """Which of the needed images are available."""

    table: pd.DataFrame
    """Per band and step that a sample needs: band, year, season, needed, on_raster, present (samples)."""
    share: np.ndarray
    """Share [n] of the images that each sample needs which are there."""
    timed: np.ndarray
    """Images [n] of bands with time that each sample has."""


def coverage(
    catalog: pd.DataFrame,
    samples: pd.DataFrame,
    needs: Iterable[Need],
    rasters: Rasters,
    image_size: int,
    preview: Callable[[Any], Preview],
) -> Coverage:
    """Count, per band and step, the samples whose pixel and whose window lie on valid pixels.

    A window is present where at least `min_valid_fraction` of it is valid, as in the embedding.

    Args:
        catalog: the raster catalog.
        samples: [n] `longitude`, `latitude`, WGS84 degrees.
        needs: which samples read which step.
        rasters: the reference band and the least share of valid pixels.
        image_size: edge of the window, reference pixels.
        preview: gives the preview of a catalog row.
    """
    steps = _by_step(catalog)
    reference = reference_grid(catalog, rasters)
    longitude, latitude = samples["longitude"].to_numpy(float), samples["latitude"].to_numpy(float)
    window = reference, image_size / 2
    needed, there, timed, lines = *(np.zeros(len(samples)) for _ in range(3)), []
    every = list(needs)
    for done, need in enumerate(every, start=1):
        progress.report(done, len(every), f"steps of bands, {need.band}")
        place = longitude[need.members], latitude[need.members]
        valid, inside = np.zeros(len(need.members)), np.zeros(len(need.members), bool)
        for row in steps.get((need.band, need.year, need.season), ()):
            share, on_raster = _shares(row, preview(row), *place, window)
            valid, inside = valid + share, inside | on_raster
        present = (valid >= max(rasters.min_valid_fraction, 1e-9)) & (valid > 0)
        needed[need.members] += 1
        there[need.members] += present
        timed[need.members] += present & (need.year is not None)
        lines.append((need.band, need.year, need.season, len(present), int(inside.sum()), int(present.sum())))
    table = pd.DataFrame(lines, columns=["band", "year", "season", "needed", "on_raster", "present"])
    return Coverage(table.astype({"year": "Int32"}), there / np.maximum(needed, 1), timed)


def coverage_findings(found: Coverage, years: pd.Series) -> list[Finding]:
    """Bands that no sample can use, bands that many cannot, and sampling years without any raster of theirs.

    Args:
        found: the coverage.
        years: [n] sampling years of the samples.
    """
    findings = []
    for band, lines in found.table.groupby("band", sort=False):
        needed, inside, present = (int(lines[name].sum()) for name in ("needed", "on_raster", "present"))
        if not present:
            where = "lie on none of its rasters" if not inside else "have too few valid pixels round them"
            words = f"the samples {where}: every image of the band would be null"
            cure = "Check the extent and years of its rasters and the coordinates of the samples, or take the band out."
            findings.append(Finding("coverage", "error", str(band), "", "", words, cure))
        elif present < needed:
            severity = "warning" if present < _LOW * needed or inside < 0.9 * needed else "note"
            words = (
                f"{needed - present} of {needed} images ({(needed - present) / needed:.1%}) are missing, "
                f"{needed - inside} of them because no raster of the step covers the sample"
            )
            uncovered = "Add the missing steps or rasters that cover all samples; missing images become null."
            thin = (
                "Too few pixels of these windows are valid: lower [rasters] min_valid_fraction, take a smaller "
                "[embedding] image_size, or use rasters that reach farther; missing images become null."
            )
            cure = uncovered if inside < needed else thin
            findings.append(Finding("coverage", severity, str(band), "", "", words, cure))
    return [*findings, *_years_without_rasters(found, years)]


def edge_findings(samples: pd.DataFrame, grid: Grid, reference: str, image_size: int) -> list[Finding]:
    """Samples nearer to the edge of the reference grid than half a window: part of their window is empty."""
    rows, columns = grid.pixels(samples["longitude"].to_numpy(float), samples["latitude"].to_numpy(float))
    half = image_size // 2
    near = (rows < half) | (columns < half) | (rows > grid.height - half) | (columns > grid.width - half)
    if not near.any():
        return []
    severity = "warning" if near.mean() > _MANY_AT_EDGE else "note"
    words = f"{int(near.sum())} of {len(near)} samples lie nearer to its edge than half a window ({half} pixels)"
    cure = (
        "What lies beyond is filled with the band's mean. Use rasters that reach farther, a smaller [embedding] "
        "image_size, or a lower [rasters] min_valid_fraction if their images become null."
    )
    return [Finding("edges", severity, reference, "", "", words, cure)]


def _years_without_rasters(found: Coverage, years: pd.Series) -> list[Finding]:
    """Sampling years none of whose samples has an image of a band with time."""
    timed = found.table[found.table["year"].notna()]
    if timed.empty:
        return []
    lacking = [year for year in sorted(years.dropna().unique()) if not found.timed[years == year].any()]
    return [
        Finding(
            "coverage",
            "warning",
            str(timed["band"].iloc[0]),
            str(year),
            "",
            f"{int((years == year).sum())} samples of {year} have no image of any band with time",
            "Add rasters of these years, or narrow [study] year_from and year_to.",
        )
        for year in lacking
    ]


def _by_step(catalog: pd.DataFrame) -> dict[tuple[str, int | None, str | None], list[dict[Any, Any]]]:
    steps: dict[tuple[str, int | None, str | None], list[dict[Any, Any]]] = {}
    for row in catalog.to_dict("records"):
        year, season = (None if pd.isna(row[name]) else row[name] for name in ("year", "season"))
        steps.setdefault((str(row["band"]), None if year is None else int(year), season), []).append(row)
    return steps


def _shares(
    row: _Row, preview: Preview, longitude: np.ndarray, latitude: np.ndarray, window: tuple[Grid, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Share [n] of valid pixels in each sample's window, and whether its pixel lies on the raster."""
    own, (reference, half) = Grid.of_row(row), window
    rows, columns = own.pixels(longitude, latitude)
    inside = own.contains(rows, columns)
    height, width = preview.values.shape
    across, down = _extent(own, reference, half)
    scale_rows, scale_columns = height / own.height, width / own.width
    top, bottom = ((rows + 0.5 + sign * down) * scale_rows for sign in (-1, 1))
    left, right = ((columns + 0.5 + sign * across) * scale_columns for sign in (-1, 1))
    total = _integral(~np.isnan(preview.values))
    edges = [
        np.clip(edge, 0, limit) for edge, limit in ((top, height), (bottom, height), (left, width), (right, width))
    ]
    counted = (
        _at(total, edges[1], edges[3])
        - _at(total, edges[0], edges[3])
        - _at(total, edges[1], edges[2])
        + _at(total, edges[0], edges[2])
    )
    return np.clip(counted / ((bottom - top) * (right - left)), 0, 1), inside


def _extent(own: Grid, reference: Grid, half: float) -> tuple[float, float]:
    """Half the window's width and height, in pixels of another grid, at the centre of the reference grid."""
    row, column = reference.height / 2, reference.width / 2
    shift = reference.transform * Affine.translation(column - half, row - half)
    top, left, bottom, right = own.box_of(reference.crs, shift, round(2 * half), round(2 * half))
    if not all(math.isfinite(edge) for edge in (top, left, bottom, right)):
        return half, half
    return (right - left) / 2, (bottom - top) / 2


def _integral(valid: np.ndarray) -> np.ndarray:
    """Summed-area table [h + 1, w + 1]."""
    total = np.zeros((valid.shape[0] + 1, valid.shape[1] + 1))
    total[1:, 1:] = valid.cumsum(0).cumsum(1)
    return total


def _at(total: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The summed-area table at fractional positions [n], by bilinear interpolation."""
    row, column = (
        np.minimum(np.floor(place).astype(np.int64), limit - 2)
        for place, limit in zip((rows, columns), total.shape, strict=True)
    )
    down, across = rows - row, columns - column
    upper = total[row, column] * (1 - across) + total[row, column + 1] * across
    lower = total[row + 1, column] * (1 - across) + total[row + 1, column + 1] * across
    return upper * (1 - down) + lower * down


def shares_by_year(found: Coverage) -> pd.DataFrame:
    """Bands against years: per cent of the samples that need the step and have its image; "" where none needs it."""
    sums = found.table.groupby(["band", "year"], sort=False, dropna=False)[["needed", "present"]].sum().reset_index()
    years: Sequence[int] = sorted(sums["year"].dropna().unique())
    lines = []
    for band, group in sums.groupby("band", sort=False):
        cells = {
            "static" if pd.isna(year) else str(year): f"{present / needed:.0%}" if needed else ""
            for year, needed, present in zip(group["year"], group["needed"], group["present"], strict=True)
        }
        lines.append({"band": band, **cells})
    static = ["static"] if sums["year"].isna().any() else []
    return pd.DataFrame(lines).reindex(columns=["band", *static, *map(str, years)]).fillna("")
