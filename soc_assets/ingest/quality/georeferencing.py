"""Findings about grids (resolution, extent, geographic coordinates) and about missing steps, from the catalog alone."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from rasterio.transform import array_bounds

from soc_assets.geo.grid import Box, Grid, box_on
from soc_assets.reporting.findings import Finding, Severity, about, step_of_row
from soc_assets.settings import Study

METRES_PER_DEGREE = 111_320.0
"""Along a meridian."""
_COVERED = 0.9  # part of a tile that another may cover before it is worth a warning
_SHIFT = 0.5  # offset, as a share of its extent, up to which a shifted step is an error, not another region
_BESIDE = 5.0  # pixels up to which that holds where half of the steps lie in another place
_TOUCH = 0.01  # pixels by which the places of two steps may differ
_Row = Mapping[Any, Any]


def ground_size(grid: Grid) -> tuple[float, float]:
    """Width and height of a pixel in metres, at the middle of the grid."""
    step = grid.transform
    across, down = math.hypot(step.a, step.d), math.hypot(step.b, step.e)
    if not grid.crs.is_geographic:
        metres = grid.crs.linear_units_factor[1]
        return across * metres, down * metres
    _, south, _, north = array_bounds(grid.height, grid.width, step)
    return across * METRES_PER_DEGREE * math.cos(math.radians((south + north) / 2)), down * METRES_PER_DEGREE


def orientation_of(grid: Grid) -> str:
    """`north-up`, `south-up` or `rotated`, by the transform; `mirrored` where columns run from east to west."""
    step = grid.transform
    if step.b or step.d:
        return "rotated, mirrored" if step.is_proper else "rotated"
    rows = "north-up" if step.e < 0 else "south-up"
    return rows if step.a > 0 else f"{rows}, mirrored"


def grids(rows: Sequence[_Row], reference: str, grid: Grid) -> list[Finding]:
    """What is worth knowing of the grids: a coarse or geographic reference, steps and bands that lie elsewhere.

    Args:
        rows: the raster catalog.
        reference: the reference band.
        grid: the reference grid.
    """
    base = next(row for row in rows if row["band"] == reference)
    width, height = ground_size(grid)
    findings = []
    finest_row = min(rows, key=lambda row: max(ground_size(Grid.of_row(row))))
    finest = max(ground_size(Grid.of_row(finest_row)))
    if max(width, height) > 2 * finest:
        found = (
            f"its pixels are {max(width, height):.0f} m, those of {finest_row['band']} {finest:.0f} m: detail is lost"
        )
        cure = "Make a finer band the [rasters] reference (a static one), or resample the reference raster."
        findings.append(about(base, "grid", "warning", found, cure))
    if grid.crs.is_geographic:
        found = f"the reference grid is in degrees: a pixel is {width:.0f} m wide and {height:.0f} m high on the ground"
        cure = "Windows are not square on the ground; a projected reference raster makes them so."
        findings.append(about(base, "grid", "note", found, cure))
    return [*findings, *_elsewhere(rows, grid), *_other_grids(rows), *_shifted(rows), *_tiles_on_tiles(rows, grid)]


def gaps(rows: Sequence[_Row], study: Study) -> list[Finding]:
    """Steps of the study's range without a raster: a warning inside a band's own range, a note before and after it."""
    findings = []
    for band in dict.fromkeys(row["band"] for row in rows if row["kind"] != "static"):
        members = [row for row in rows if row["band"] == band]
        wanted = study.raster_steps(members[0]["kind"])
        steps = [str(year) if season is None else f"{year}_{season}" for year, season in wanted]
        have = {step_of_row(row) for row in members}
        inside = [step for step in steps if step in have]
        missing = [step for step in steps if step not in have]
        between = [s for s in missing if inside and steps.index(inside[0]) < steps.index(s) < steps.index(inside[-1])]
        outer = [step for step in missing if step not in between]
        parts: list[tuple[list[str], Severity, str]] = [
            (between, "warning", "between others"),
            (outer, "note", "before or after all"),
        ]
        for group, severity, place in parts:
            if group:
                found = f"{len(group)} of {len(steps)} steps of the study are missing, {place}: {_listed(group)}"
                cure = (
                    "Add the rasters, or narrow [study] year_from, year_to or time_before; their images will be null."
                )
                findings.append(Finding("gaps", severity, band, "", "", found, cure))
    return findings


def _elsewhere(rows: Sequence[_Row], grid: Grid) -> list[Finding]:
    """Rasters that do not touch the reference raster."""
    findings = []
    for row in rows:
        top, left, bottom, right = box_on(grid, Grid.of_row(row))
        if bottom <= 0 or right <= 0 or top >= grid.height or left >= grid.width:
            cure = "Its images will be null: check the CRS and extent of the file, or take it out of the folder."
            findings.append(about(row, "grid", "warning", "it lies wholly outside the reference raster", cure))
    return findings


def _other_grids(rows: Sequence[_Row]) -> list[Finding]:
    """Steps whose pixels differ in size from those of most steps of the band."""
    findings = []
    for band in dict.fromkeys(row["band"] for row in rows):
        members = [row for row in rows if row["band"] == band]
        sizes = [max(ground_size(Grid.of_row(row))) for row in members]
        usual = sorted(sizes)[len(sizes) // 2]
        for row, size in zip(members, sizes, strict=True):
            if not 0.9 < size / usual < 1.1:
                found = f"its pixels are {size:.0f} m, those of most steps {usual:.0f} m"
                cure = "It is resampled like the others; make sure that it is the right product."
                findings.append(about(row, "grid", "note", found, cure))
    return findings


def _shifted(rows: Sequence[_Row]) -> list[Finding]:
    """Steps as large as most steps of the band but slightly offset; a band of tiles has many positions."""
    findings = []
    tiled = {row["band"] for row in rows if pd.notna(row.get("tile"))}
    for band in dict.fromkeys(row["band"] for row in rows if row["band"] not in tiled):
        members = [row for row in rows if row["band"] == band]
        places = [(row["crs"], row["height"], row["width"], *row["transform"]) for row in members]
        counted = Counter(places)
        usual, count = counted.most_common(1)[0]
        first = members[places.index(usual)]
        home, most = Grid.of_row(first), 2 * count > len(places)
        for row, place in zip(members, places, strict=True):
            if not (most or len(counted) == 2) or place[:3] != usual[:3]:
                continue
            away = ~home.transform * Grid.of_row(row).transform
            same_pixels = np.allclose([away.a, away.b, away.d, away.e], [1, 0, 0, 1], rtol=0, atol=1e-6)
            furthest = (_SHIFT * home.height, _SHIFT * home.width) if most else (_BESIDE, _BESIDE)
            near = abs(away.f) < furthest[0] and abs(away.c) < furthest[1]
            if same_pixels and near and max(abs(away.f), abs(away.c)) > _TOUCH:
                which = ("most steps", "them") if most else (f"the step {step_of_row(first)}", "it")
                found = (
                    f"it is as large as {which[0]} but lies {away.f:g} rows and {away.c:g} columns beside {which[1]}"
                )
                cure = "Compare it with another step in QGIS: if a lake lies elsewhere, mend its georeferencing."
                findings.append(about(row, "grid", "warning", found, cure))
    return findings


def _tiles_on_tiles(rows: Sequence[_Row], grid: Grid) -> list[Finding]:
    """Tiles of a step that overlap almost completely: rarely parts of one raster."""
    steps: dict[tuple[str, str], list[_Row]] = {}
    for row in rows:
        if isinstance(row["tile"], str):
            steps.setdefault((row["band"], step_of_row(row)), []).append(row)
    findings = []
    for members in steps.values():
        boxes = [box_on(grid, Grid.of_row(row)) for row in members]
        first: dict[int, int] = {}
        for i, j in _in_each_other(boxes):
            if _shared(boxes[i], boxes[j]) > _COVERED:
                first[j] = min(i, first.get(j, i))
        for j, i in sorted(first.items()):
            name = str(members[i]["path"]).rpartition("/")[2]
            found = f"it lies almost wholly on another tile of the step, {name}, whose values are taken"
            cure = "Is it of another band or version? Make the pattern stricter, or take one out of the folder."
            findings.append(about(members[j], "grid", "warning", found, cure))
    return findings


def _in_each_other(boxes: Sequence[Box]) -> Iterator[tuple[int, int]]:
    """Pairs (i, j), i < j, of which one box may hold the middle of the other, at a cost that grows with their number.

    Middles are sorted into cells as large as most boxes, and a box is compared with those of the cells that it touches.
    A box without an end, of a raster that is partly outside the CRS, is compared with none.
    """
    sides = np.array(boxes, float).reshape(-1, 2, 2)  # [n, (top, left) and (bottom, right), rows and columns]
    here = np.flatnonzero(np.isfinite(sides).all(axis=(1, 2)))
    if len(here) < 2:
        return
    cell = np.maximum(np.median(sides[here, 1] - sides[here, 0], axis=0), 1e-9)
    low, high = (np.floor(sides[:, end] / cell) for end in (0, 1))
    middles: dict[tuple[float, float], list[int]] = {}
    for i in here.tolist():
        middles.setdefault((*np.floor(sides[i].mean(axis=0) / cell).tolist(),), []).append(i)
    for i in here.tolist():
        (top, left), (bottom, right) = low[i].tolist(), high[i].tolist()
        if (bottom - top + 1) * (right - left + 1) <= len(middles):
            cells = [(top + r, left + c) for r in range(int(bottom - top) + 1) for c in range(int(right - left) + 1)]
        else:
            cells = [at for at in middles if top <= at[0] <= bottom and left <= at[1] <= right]
        for j in (j for at in cells for j in middles.get(at, ()) if j != i):
            yield min(i, j), max(i, j)


def _shared(one: Box, other: Box) -> float:
    """The part of the smaller of two boxes that lies in the other."""
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return max(height, 0.0) * max(width, 0.0) / smaller if smaller else 0.0


def _listed(steps: Sequence[str]) -> str:
    return ", ".join(steps[:8]) + (f" and {len(steps) - 8} more" if len(steps) > 8 else "")
