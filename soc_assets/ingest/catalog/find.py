"""Finding the files of each band by its path pattern.

A pattern has {band}, {year} (four digits), {season}, {date}, {start} and {end}, {tile}, and * within a name. A file
that fits the patterns of two bands, one's name within the other's, is the longer name's. Hidden files (`._N48.tif`) are
ignored, and names are compared in one normal form (Unicode NFC). Only names are used; nothing here opens a raster.
What kind of folder it is makes no difference here: see `storage.raster_folder`.
"""

import difflib
import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from soc_assets.errors import RasterError
from soc_assets.ingest.catalog.dates import DATE, middle, step_of_date, to_date
from soc_assets.reporting.as_text import is_unicode, one_line, plain
from soc_assets.settings import Band, Rasters
from soc_assets.settings.seasons import SEASONS, season_rank
from soc_assets.storage.names import nfc, visible
from soc_assets.storage.raster_drivers import DRIVERS, allow
from soc_assets.storage.raster_folder import RasterFolder, open_folder

_FIELDS = re.compile(r"(\{band\}|\{year\}|\{season\}|\{date\}|\{start\}|\{end\}|\{tile\}|\*)")
_SUFFIXES = frozenset(DRIVERS) - {".png", ".jpg", ".jpeg", ".dat"}  # these are more often pictures and notes


@dataclass(frozen=True)
class RasterFile:
    """A file and the step of the band that it holds.

    Attributes:
        band: of the settings.
        year: None for static bands, and where the bands of the file are the steps.
        season: None but for seasonal bands whose file names tell it.
        path: what GDAL opens.
        name: relative to the rasters folder.
        tile: the part of a step that the file is; None where the pattern has no {tile}.
        steps_in_file: whether the bands of the file are steps.
        problem: why the name cannot be used, or None.
    """

    band: Band
    year: int | None
    season: str | None
    path: str
    name: str = ""
    tile: str | None = None
    steps_in_file: bool = False
    problem: str | None = None


def find_rasters(rasters: Rasters, folder: Path | str) -> list[RasterFile]:
    """All files of all bands: by band in the order of the settings, then year, season and path.

    Args:
        rasters: the bands and their patterns.
        folder: a path, a zip file, a `/vsi...` path or a URL.

    Raises:
        RasterError: the folder is missing or holds no raster, or a band has no file; names folder, pattern and fix.
    """
    place = open_folder(folder)
    allow(folder, rasters)
    if not place.exists():
        raise RasterError(
            f"The folder of rasters {place.where} does not exist. Create it, or set [paths] rasters in soc.toml; "
            "`soc demo` writes a small synthetic region."
        )
    files = _by_the_longest_name([file for band in rasters.bands for file in _files_of(band, rasters, place)], rasters)
    if not files and not _listing(place):
        raise RasterError(
            f"The folder of rasters {place.where} holds no raster. Expected below it for example "
            f"{rasters.pattern_of(rasters.bands[0]).replace('{band}', rasters.bands[0].name)}; put the rasters there, "
            "set [paths] rasters in soc.toml, or let `soc demo` write a synthetic region."
        )
    found = {file.band.name for file in files}
    if missing := [band for band in rasters.bands if band.name not in found]:
        raise RasterError("\n".join(_no_file(band, rasters.pattern_of(band), place) for band in missing))
    return files


def _files_of(band: Band, rasters: Rasters, place: RasterFolder) -> list[RasterFile]:
    pattern = rasters.pattern_of(band)
    if Path(pattern).is_absolute() or "://" in pattern:
        raise RasterError(
            f"The pattern {pattern} of band {band.name} is absolute; patterns start below the rasters folder "
            f"{place.where}. Set [paths] rasters in soc.toml to a folder above all rasters."
        )
    pattern = nfc(pattern)
    regex, in_file = _as_regex(pattern, band.name), rasters.steps_in_file(band)
    files = [
        _file(band, place.location(name), name, match, in_file)
        for name in visible(place.names(_as_glob(pattern, band.name)), pattern)
        if (match := regex.fullmatch(nfc(name)))
    ]
    return sorted(files, key=lambda file: (file.year or 0, season_rank(file.season), file.path))


def _by_the_longest_name(files: list[RasterFile], rasters: Rasters) -> list[RasterFile]:
    """Files without those that are another band's: LST_night_N48_2012.tif is no tile `night_N48` of the band LST."""
    claims: dict[str, list[str]] = {}
    for file in files:
        if "{band}" in rasters.pattern_of(file.band):
            claims.setdefault(file.name, []).append(file.band.name)

    def belongs(file: RasterFile) -> bool:
        own = file.band.name
        if "{band}" not in rasters.pattern_of(file.band):
            return True
        return not any(len(other) > len(own) and own in other for other in claims[file.name])

    return [file for file in files if belongs(file)]


def _file(band: Band, path: str, name: str, match: re.Match[str], in_file: bool) -> RasterFile:
    """The file with its step; a name with an impossible date is kept with its problem."""
    parts = match.groupdict()
    year = int(parts["year"]) if parts.get("year") else None
    season = parts["season"].lower() if parts.get("season") else None
    problem = None
    try:
        if parts.get("date"):
            year, season = step_of_date(to_date(parts["date"]), band.kind)
        elif parts.get("start"):
            year, season = step_of_date(middle(to_date(parts["start"]), to_date(parts["end"])), band.kind)
    except ValueError as error:
        problem = f"The name of the raster {path} holds no date that exists: {error}. Rename the file."
    if not is_unicode(name):
        name, path, parts["tile"] = plain(name), plain(path), None
        problem = f"The name of the raster {path} is not UTF-8, so that GDAL cannot open it. Rename the file."
    return RasterFile(band, year, season, path, name, parts.get("tile"), in_file, problem)


def _as_glob(pattern: str, band: str) -> str:
    fields = {"{band}": glob.escape(band), "{year}": "[0-9]" * 4}
    parts = (fields.get(part, "*" if _FIELDS.fullmatch(part) else glob.escape(part)) for part in _FIELDS.split(pattern))
    spelled = re.sub(r"[^\x00-\x7f]", "*", "".join(parts))  # ö may be one character on the disk, or two: o*
    return re.sub(r"\*+", "*", spelled)


def _as_regex(pattern: str, band: str) -> re.Pattern[str]:
    groups = {
        "{year}": r"\d{4}",
        "{season}": f"(?i:{'|'.join(SEASONS)})",
        "{tile}": "[^/]+",
        **dict.fromkeys(("{date}", "{start}", "{end}"), DATE),
    }
    seen, parts = set(), []
    for part in _FIELDS.split(pattern):
        if part in groups:
            name = part.strip("{}")
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{groups[part]})")
            seen.add(name)
        else:
            parts.append({"{band}": re.escape(band), "*": "[^/]*"}.get(part, re.escape(part)))
    return re.compile("".join(parts))


def _no_file(band: Band, pattern: str, place: RasterFolder) -> str:
    of_band = pattern.replace("{band}", band.name)
    near = difflib.get_close_matches(of_band, _listing(place), n=3, cutoff=0)
    wanted = pattern if of_band == pattern else f"{pattern}, here {of_band}"
    listed = ", ".join(map(one_line, near)) or "no raster"
    return (
        f"The {band.kind} band {band.name} has no raster: nothing below {place.where} matches its pattern {wanted}. "
        f"The folder holds for example {listed}. Rename the files, give the band a `pattern` "
        "in [[rasters.bands]] of soc.toml, or take the band out."
    )


def _listing(place: RasterFolder) -> list[str]:
    def rasters() -> Iterator[str]:
        for name in visible(place.names()):
            if PurePosixPath(name).suffix.lower() in _SUFFIXES:
                yield name

    return sorted(rasters())
