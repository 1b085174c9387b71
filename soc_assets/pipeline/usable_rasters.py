"""The rasters that can be used, where some bands cannot, so that `soc check` reports everything at once."""

import pandas as pd

from soc_assets.errors import RasterError
from soc_assets.ingest.catalog.scan import Catalog, scan_rasters
from soc_assets.project import Project
from soc_assets.rasters.catalog import known_catalog
from soc_assets.reporting.findings import Finding
from soc_assets.settings import Band, Rasters


def scan_usable(project: Project) -> tuple[Catalog | None, tuple[Band, ...], list[Finding]]:
    """The catalog of the rasters and its bands; where some cannot be used at all, of the others, with findings."""
    rasters = project.settings.rasters
    previous = known_catalog(project)
    try:
        return scan_rasters(rasters, project.rasters, previous), rasters.bands, []
    except RasterError as error:
        first = error
    base = next(band for band in rasters.bands if band.name == rasters.reference)
    usable, findings = [], []
    for band in rasters.bands:
        bands = tuple({item.name: item for item in (base, band)}.values())
        try:
            scanned = scan_rasters(of_bands(rasters, bands), project.rasters, previous)
            previous = _known(previous, scanned.frame)
            usable.append(band)
        except RasterError as error:
            if band is base:
                return None, (), [_unusable(band, first)]
            findings.append(_unusable(band, error))
    bands = tuple(usable)
    return scan_rasters(of_bands(rasters, bands), project.rasters, previous), bands, findings


def _unusable(band: Band, error: RasterError) -> Finding:
    said = " ".join(f"{error}".split()).rstrip(".")
    return Finding("files", "error", band.name, "", "", said, "", acceptable=False)


def _known(previous: pd.DataFrame | None, scanned: pd.DataFrame) -> pd.DataFrame:
    """The rows of a scan, and those of earlier ones of other bands: each raster once."""
    if previous is None:
        return scanned
    return pd.concat([previous[~previous["band"].isin(scanned["band"])], scanned], ignore_index=True)


def of_bands(rasters: Rasters, bands: tuple[Band, ...]) -> Rasters:
    """The settings as if there were only these bands."""
    return rasters.model_copy(update={"bands": bands})
