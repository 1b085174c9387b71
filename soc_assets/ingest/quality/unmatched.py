"""Findings about rasters that fit the pattern of no band: a step may be missing only because of its name."""

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from soc_assets.errors import RasterError
from soc_assets.rasters.opening import open_raster
from soc_assets.reporting.as_text import plain
from soc_assets.reporting.findings import Finding, Severity
from soc_assets.settings import Rasters
from soc_assets.storage.raster_folder import open_folder

_ENDINGS = (
    *(".tif", ".tiff", ".vrt", ".img", ".jp2", ".nc", ".hdf", ".h5"),
    *(".asc", ".grd", ".bil", ".flt", ".zip", ".gz"),
)
_WHOLE = (".tif", ".tiff", ".nc", ".nc4", ".h5", ".hdf5", ".he5")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?=\D|$|\d{4}(?!\d))")  # 2012, 20120701
_MOST_NAMED = 5


def rasters_not_read(
    folder: Path | str, catalog: pd.DataFrame, problems: pd.DataFrame, rasters: Rasters
) -> list[Finding]:
    """Rasters that belong to no band: a warning where the name has that of a band and a year that the band lacks.

    Args:
        folder: of the rasters: a path, a zip file or a URL.
        catalog: the raster catalog.
        problems: the rasters set aside.
        rasters: the bands and their patterns.
    """
    place, used = open_folder(folder), {*map(str, catalog["path"]), *map(str, problems["path"])}
    used |= {source for path in used for source in _sources(path)}
    left: dict[str, list[str]] = {}
    for name in sorted(place.names()) if place.exists() else []:
        path = PurePosixPath(name)
        hidden = any(part.startswith((".", "~")) for part in path.parts)
        if path.suffix.lower() in _ENDINGS and not hidden and plain(place.location(name)) not in used:
            left.setdefault(_lacking(path, catalog, rasters), []).append(plain(name))
    return [_finding(band, names, rasters) for band, names in left.items()]


def _sources(path: str) -> list[str]:
    """What a raster takes its values from, if it is not a GeoTIFF."""
    if not path.lower().endswith(_WHOLE):
        with contextlib.suppress(RasterError), open_raster(path) as dataset:  # one set aside has no sources to name
            return [str(name) for name in dataset.files]
    return []


def _lacking(path: PurePosixPath, catalog: pd.DataFrame, rasters: Rasters) -> str:
    """The band with time whose name is in a path, and a year in the file's name that the band lacks; "" if none."""
    years = {int(year) for year in _YEAR.findall(path.name)}
    for band in sorted(rasters.bands, key=lambda band: -len(band.name)):
        named = re.search(rf"(?<![a-z0-9]){re.escape(band.name)}(?![a-z])", path.as_posix(), re.IGNORECASE)
        if named and band.kind != "static":
            have = set(catalog.loc[catalog["band"].str.startswith(band.name), "year"].dropna().astype(int))
            return band.name if years and not years & have else ""
    return ""


def _finding(band: str, names: Sequence[str], rasters: Rasters) -> Finding:
    severity: Severity = "warning" if band else "note"
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    fit, are = ("raster fits", "is") if len(names) == 1 else ("rasters fit", "are")
    listed = ", ".join(names[:_MOST_NAMED]) + more
    found = f"{len(names)} {fit} the pattern of no band and {are} not looked at: {listed}"
    pattern = next((rasters.pattern_of(item) for item in rasters.bands if item.name == band), "")
    cure = (
        f"If they are steps of it, rename them to fit its pattern {pattern}, or give the band another `pattern` in "
        "[rasters] bands of soc.toml."
        if band
        else "Nothing to be done if they are not meant; else add them to [rasters] bands of soc.toml."
    )
    return Finding("files", severity, band, "", "", found, cure, acceptable=bool(band))
