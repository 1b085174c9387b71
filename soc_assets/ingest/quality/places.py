"""Findings about the places in a soil table: coordinates coarser than a pixel, many samples at one point.

Whether the places lie on the rasters is in `ingest.quality.coverage`.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from soc_assets.geo.grid import Grid
from soc_assets.geo.places import places
from soc_assets.ingest.quality.georeferencing import METRES_PER_DEGREE, ground_size
from soc_assets.reporting.findings import Finding

if TYPE_CHECKING:
    import pyproj

_DEGREES = (1.0, 0.5, 0.25, 0.1, 0.05, 1 / 60, 0.01, 0.005, 0.001, 1 / 3600, 0.0001)
_METRES = (100_000.0, 10_000.0, 5000.0, 1000.0, 500.0, 100.0, 50.0, 10.0)
_WRITTEN = {1 / 60: 6e-5, 1 / 3600: 6e-6}  # degrees to which minutes and seconds are rounded in decimal degrees
_ROUNDED = {"degrees": 1e-7, "metres": 0.02}
_FEWEST, _SHARE = 5, 0.1  # minimum number, and share of a table's samples, for coarse coordinates to be reported
_MANY = 10  # samples of one day at one place


def place_findings(samples: pd.DataFrame, tables: pd.DataFrame, grid: Grid) -> list[Finding]:
    """Coarse coordinates and crowded points, by table.

    Args:
        samples: all usable rows: `longitude`, `latitude` (WGS84 degrees), `survey_date`, `year`, `file`.
        tables: how each table was read: `file`, `crs` (the name).
        grid: the reference grid.
    """
    systems = tables.drop_duplicates("file").set_index("file")["crs"]
    findings = []
    for file, rows in samples.groupby("file", sort=True):
        system = _system(str(systems.get(file, "WGS84")))
        findings += [*_coarse(str(file), rows, system, grid), *_crowded(str(file), rows)]
    return findings


def _coarse(file: str, rows: pd.DataFrame, system: "pyproj.CRS | None", grid: Grid) -> Iterator[Finding]:
    """Coordinates, as written, that are multiples of a step wider than a pixel."""
    if system is None:
        return
    longitude, latitude = (rows[name].to_numpy(float) for name in ("longitude", "latitude"))
    degrees = system.is_geographic
    x, y = (longitude, latitude) if degrees else _projected(longitude, latitude, system)
    unit = METRES_PER_DEGREE if degrees else system.axis_info[0].unit_conversion_factor
    pixel = max(ground_size(grid))
    step = np.zeros(len(rows))
    for width in _DEGREES if degrees else _METRES:
        tolerance = _WRITTEN.get(width, _ROUNDED["degrees" if degrees else "metres"])
        step[(step == 0) & _multiples(x, width, tolerance) & _multiples(y, width, tolerance)] = width
    coarse = step * unit > pixel
    distinct = len(np.unique(np.column_stack([x[coarse], y[coarse]]), axis=0))
    if coarse.sum() < _FEWEST or distinct < 2 or coarse.mean() < _SHARE:
        return
    usual = float(np.median(step[coarse]))
    words = f"{usual * unit:,.0f} m" if usual * unit < 10_000 else f"{usual * unit / 1000:,.0f} km"
    written = f"{_step_words(usual)} ({words})" if degrees else words
    found = (
        f"{int(coarse.sum())} of {len(rows)} samples have coordinates rounded to {written}, or lie on a regular grid "
        f"of it, at {distinct} places; a pixel is {pixel:.0f} m"
    )
    cure = (
        "Ask for the exact coordinates: these samples may lie pixels away from where they were taken. Accept the "
        "finding if it is a sampling grid."
    )
    yield Finding("places", "warning", file, "", "", found, cure)


def _crowded(file: str, rows: pd.DataFrame) -> Iterator[Finding]:
    """Points with many samples of one day: the centre of a field, a farm or a municipality."""
    keys = pd.DataFrame({"place": places(rows["longitude"].to_numpy(float), rows["latitude"].to_numpy(float))})
    keys["day"] = rows["survey_date"].to_numpy()
    keys["year"] = rows["year"].to_numpy()
    sizes = keys.groupby(["place", "day", "year"], dropna=False).size().rename("samples").reset_index()
    crowded = sizes[sizes["samples"] >= _MANY].sort_values("samples", ascending=False, kind="stable")
    if crowded.empty:
        return
    first = rows.iloc[int(np.flatnonzero(keys["place"] == crowded["place"].iloc[0])[0])]
    most = crowded["samples"].iloc[0]
    at = f"{first['longitude']:.5f}, {first['latitude']:.5f}"
    dated = "day" if rows["survey_date"].notna().any() else "year" if rows["year"].notna().any() else "date"
    where = f"at {at}" if len(crowded) == 1 else f"at {len(crowded)} places, {most} of them at {at}"
    found = f"{crowded['samples'].sum()} samples of one {dated} stand {where}"
    cure = (
        "They have the same rasters and count as one location. If the coordinates are those of a farm or a district, "
        "ask for the exact ones."
    )
    yield Finding("places", "note", file, "", "", found, cure)


def _multiples(values: np.ndarray, step: float, tolerance: float) -> np.ndarray:
    """Which values [n] are whole multiples of a step."""
    return np.abs(values - np.round(values / step) * step) <= tolerance


def _step_words(step: float) -> str:
    named = {1 / 60: "1 minute", 1 / 3600: "1 second"}
    return named.get(step, f"{step:g} degrees" if step != 1 else "1 degree")


def _system(name: str) -> "pyproj.CRS | None":
    """The CRS of a table by its name; None where PROJ knows none of that name, so that nothing is judged."""
    import pyproj
    from pyproj.exceptions import CRSError

    try:
        return pyproj.CRS.from_user_input("EPSG:4326" if name == "WGS84" else name)
    except CRSError:
        return None


def _projected(longitude: np.ndarray, latitude: np.ndarray, system: "pyproj.CRS") -> tuple[np.ndarray, np.ndarray]:
    """Coordinates [n] as the table has them, from degrees."""
    import pyproj

    x, y = pyproj.Transformer.from_crs("EPSG:4326", system, always_xy=True).transform(longitude, latitude)
    return np.asarray(x, float), np.asarray(y, float)
