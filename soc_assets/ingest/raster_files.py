"""Finding the files of each band by its path pattern: {band}, {year} (four digits), {season}, and * within a name.

Only names and folders are looked at; nothing here opens a raster.
"""

import difflib
import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from soc_assets.errors import RasterError
from soc_assets.settings import SEASONS, Band, Rasters

_FIELDS = re.compile(r"(\{band\}|\{year\}|\{season\}|\*)")
_SUFFIXES = {".tif", ".tiff", ".vrt", ".img", ".jp2", ".nc", ".hdf", ".asc", ".grd"}


@dataclass(frozen=True)
class RasterFile:
    """A file and the step of the band that it holds."""

    band: Band
    year: int | None
    season: str | None
    path: Path


def find_rasters(rasters: Rasters, folder: Path) -> list[RasterFile]:
    """All files of all bands: by band in the order of the settings, then year, season and path.

    Raises:
        RasterError: the folder is missing or holds no raster, or a band has no file; names folder, pattern and cure.
    """
    if not folder.is_dir():
        raise RasterError(
            f"The folder of rasters {folder} does not exist. Create it, or set [paths] rasters in soc.toml; "
            "`soc demo` writes a small synthetic region."
        )
    files = [file for band in rasters.bands for file in _files_of(band, rasters.pattern_of(band), folder)]
    if not files and not _listing(folder):
        raise RasterError(
            f"The folder of rasters {folder} holds no raster. Expected below it for example "
            f"{rasters.pattern_of(rasters.bands[0]).replace('{band}', rasters.bands[0].name)}; put the rasters there, "
            "set [paths] rasters in soc.toml, or let `soc demo` write a synthetic region."
        )
    found = {file.band.name for file in files}
    if missing := [band for band in rasters.bands if band.name not in found]:
        raise RasterError("\n".join(_no_file(band, rasters.pattern_of(band), folder) for band in missing))
    return files


def _files_of(band: Band, pattern: str, folder: Path) -> list[RasterFile]:
    if Path(pattern).is_absolute():
        raise RasterError(
            f"The pattern {pattern} of band {band.name} is absolute; patterns start below the rasters folder {folder}. "
            "Set [paths] rasters in soc.toml to a folder above all rasters."
        )
    files = [
        RasterFile(band, _year(match), _season(match), path.absolute())
        for path in folder.glob(_as_glob(pattern, band.name))
        if (match := _as_regex(pattern, band.name).fullmatch(path.relative_to(folder).as_posix())) and path.is_file()
    ]
    season_order = {None: 0, **{season: number for number, season in enumerate(SEASONS)}}
    return sorted(files, key=lambda file: (file.year or 0, season_order[file.season], str(file.path)))


def _as_glob(pattern: str, band: str) -> str:
    fields = {"{band}": glob.escape(band), "{year}": "[0-9]" * 4, "{season}": "*", "*": "*"}
    return "".join(fields.get(part, glob.escape(part)) for part in _FIELDS.split(pattern))


def _as_regex(pattern: str, band: str) -> re.Pattern[str]:
    groups = {"{year}": ("year", r"\d{4}"), "{season}": ("season", f"(?i:{'|'.join(SEASONS)})")}
    seen, parts = set(), []
    for part in _FIELDS.split(pattern):
        if part in groups:
            name, regex = groups[part]
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{regex})")
            seen.add(name)
        else:
            parts.append({"{band}": re.escape(band), "*": "[^/]*"}.get(part, re.escape(part)))
    return re.compile("".join(parts))


def _year(match: re.Match[str]) -> int | None:
    year = match.groupdict().get("year")
    return int(year) if year else None


def _season(match: re.Match[str]) -> str | None:
    season = match.groupdict().get("season")
    return season.lower() if season else None


def _no_file(band: Band, pattern: str, folder: Path) -> str:
    near = difflib.get_close_matches(pattern.replace("{band}", band.name), _listing(folder), n=3, cutoff=0)
    return (
        f"The {band.kind} band {band.name} has no raster: nothing below {folder} matches its pattern {pattern}. "
        f"The folder holds for example {', '.join(near) or 'no raster'}. Rename the files, give the band a `pattern` "
        "in [[rasters.bands]] of soc.toml, or take the band out."
    )


def _listing(folder: Path) -> list[str]:
    def rasters() -> Iterator[str]:
        for path in folder.rglob("*"):
            if path.suffix.lower() in _SUFFIXES:
                yield path.relative_to(folder).as_posix()

    return sorted(rasters())
