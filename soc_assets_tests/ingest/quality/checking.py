"""Rasters for the tests of the checks: one smooth landscape, and what the checks find in files made from it."""

from pathlib import Path

import numpy as np

from soc_assets.ingest.catalog.scan import scan_rasters
from soc_assets.ingest.quality.previews import Previews
from soc_assets.ingest.quality.rasters import inspect_rasters
from soc_assets.reporting.findings import Finding
from soc_assets.settings import Band, Rasters, Study
from soc_assets_tests.ingest.conftest import write_raster

SIZE = 80
ELEVATION = Band(name="Elevation", kind="static")


def landscape(seed: int = 0, low: float = 100.0, high: float = 900.0, size: int = SIZE) -> np.ndarray:
    """A smooth field [size, size] between low and high; no symmetry, so that turning it about changes it."""
    stream = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:size, 0:size] / size
    field = np.zeros((size, size))
    for _ in range(6):
        y, x, width, height = stream.uniform([0, 0, 0.1, -1], [1, 1, 0.3, 1])
        field += height * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * width**2))
    field = (field - field.min()) / (field.max() - field.min())
    return (low + (high - low) * field).astype(np.float32)


def year(number: int, seed: int = 1, **options) -> np.ndarray:
    """The same landscape in another year: a little noise and a little shift."""
    stream = np.random.default_rng([seed, number])
    field = landscape(seed, **options)
    return (field + stream.normal(0, 0.03 * field.std(), field.shape) + 0.01 * field.std() * (number % 3)).astype(
        np.float32
    )


def static(folder: Path, name: str, values: np.ndarray, **profile) -> None:
    write_raster(folder / f"static/{name}.tif", values, **profile)


def yearly(folder: Path, name: str, number: int, values: np.ndarray, **profile) -> None:
    write_raster(folder / f"yearly/{name}/{name}_{number}.tif", values, **profile)


def found(folder: Path, *bands: Band, check: str, study: Study | None = None, **settings) -> list[Finding]:
    """Findings of one kind about the rasters of a folder; Elevation is the reference and is written if missing."""
    if not (folder / "static/Elevation.tif").exists():
        static(folder, "Elevation", landscape(99))
    rasters = Rasters(bands=(ELEVATION, *bands), **settings)
    catalog = scan_rasters(rasters, folder)
    findings = inspect_rasters(
        catalog.frame, catalog.problems, rasters, study or Study(), Previews(folder / "previews", rasters)
    )
    return [finding for finding in findings if finding.check == check]


def brief(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.severity, finding.band, finding.step) for finding in findings]
