"""All findings about the rasters of a catalog, most severe first."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from soc_assets.geo.reference_grid import reference_grid
from soc_assets.ingest.catalog.scan import HELD_TWICE
from soc_assets.ingest.quality.previews import Preview
from soc_assets.reporting.findings import Finding, accepting, by_severity
from soc_assets.runtime import progress
from soc_assets.settings import Rasters, Study


def inspect_rasters(
    catalog: pd.DataFrame, problems: pd.DataFrame, rasters: Rasters, study: Study, preview: Callable[[Any], Preview]
) -> list[Finding]:
    """All findings about the rasters of a catalog, most severe first.

    Args:
        catalog: the raster catalog, one row per usable raster.
        problems: rasters set aside by the scan (band, path, problem).
        rasters: the bands, their fill values and the findings accepted.
        study: the years studied and how far back they reach.
        preview: gives the preview of a catalog row.

    Raises:
        RasterError: a raster has become unreadable since it was catalogued.
    """
    from soc_assets.ingest.quality import georeferencing, layer_names, orientation, unmasked_fill, values, wild

    rows: list[dict[Any, Any]] = catalog.to_dict("records")
    previews = []
    for done, row in enumerate(rows, start=1):
        previews.append(preview(row))
        progress.report(done, len(rows), "looked at")
    fills, cleaned = unmasked_fill.unmasked_fills(rows, previews, rasters)
    findings = [
        *(_set_aside(band, path, problem) for band, path, problem in problems.to_numpy().tolist()),
        *layer_names.layers_told_otherwise(rows),
        *fills,
        *orientation.upside_down(rows, cleaned, rasters.reference),
        *values.constant(rows),
        *values.copies(rows),
        *values.outliers(rows, cleaned),
        *wild.wild_pixels(rows, cleaned, rasters),
        *georeferencing.grids(rows, rasters.reference, reference_grid(catalog, rasters)),
        *georeferencing.gaps(rows, study),
    ]
    return by_severity(accepting(findings, rasters.accept))


def _set_aside(band: str, path: str, problem: str) -> Finding:
    cure = "Take out the one that is not meant." if HELD_TWICE in problem else "Its step is missing until then."
    return Finding("files", "warning", band, "", path, f"the raster is set aside. {problem.rstrip('.')}", cure)
