"""Which files of a folder are soil tables, which belong to one, and which entry of soc.toml says how to read one.

Nothing is opened here; reading is in `ingest.soil.formats` and `ingest.soil.layers`.
"""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.places import parse_crs
from soc_assets.reporting.as_text import one_line
from soc_assets.settings import Soil, SoilTable
from soc_assets.storage.names import fits, nfc

READ = (".csv", ".tsv", ".xlsx", ".xlsm", ".xls", ".parquet", ".gpkg", ".geojson", ".shp", ".dbf")
"""Suffixes of the files read; of one table in several formats the row in the format that stands first is kept."""
_NOT_READ = (".ods", ".mdb", ".accdb", ".kml", ".gdb")
_BESIDE_A_SHAPEFILE = (".dbf", ".shx", ".prj", ".cpg")
_CAMPAIGNS = (2009, 2012, 2015, 2018, 2022)
_SURVEYS = r"(?<!\d)(20(?:01|03|06|09|12|15|18|22))(?!\d)"
_SHORT_SECOND = r"(?<!\d)20\d\d[-_/ +&]+(?:06|09|12|15|18|22)(?!\d)"  # 2009-12 are two campaigns, or a month


@dataclass(frozen=True)
class Reading:
    """How one table is read, settings of [soil] filled in."""

    how: SoilTable
    section: str
    """The table of soc.toml that says so, for messages."""
    own: bool
    """Whether the file has an entry of its own in [[soil.tables]]."""


def find_tables(folder: Path) -> list[Path]:
    """The soil tables of a folder by name, unreadable formats included.

    Hidden and temporary files are not tables, and neither is the .dbf of a shapefile.

    Raises:
        SoilError: the folder is missing or holds no table.
    """
    files = _files(folder)
    shapes = _stems_of_shapefiles(files)
    tables = [path for path in files if path.suffix.lower() in (*READ, *_NOT_READ)]
    tables = [path for path in tables if path.suffix.lower() != ".dbf" or nfc(path.stem).lower() not in shapes]
    if not tables:
        held = ", ".join(one_line(path.name) for path in files[:5]) or "nothing"
        raise SoilError(
            f"The folder of soil tables {folder} holds no *.csv, *.xlsx, *.xls, *.parquet, *.gpkg, *.geojson or *.shp "
            f"file (found: {held}). Put the soil tables there, or "
            "set [paths] soil in soc.toml; `soc demo` writes synthetic samples."
        )
    return tables


def find_inputs(folder: Path) -> list[Path]:
    """`find_tables` and the files that belong to them: a shapefile is read from several.

    Raises:
        SoilError: the folder is missing or holds no table.
    """
    files = _files(folder)
    shapes = _stems_of_shapefiles(files)
    beside = {path for path in files if path.suffix.lower() in _BESIDE_A_SHAPEFILE and nfc(path.stem).lower() in shapes}
    return sorted({*find_tables(folder), *beside})


def campaign_of(name: str, part: str = "") -> int | None:
    """Year of the one LUCAS campaign that a name speaks of; `LUCAS_TOPSOIL_v1` is that of 2009.

    Args:
        name: of the file, without its suffix. One that names several campaigns, `LUCAS_2009_2015_2018`, names none.
        part: the sheet or layer, whose name goes before the file's.
    """
    names = nfc(name), nfc(part)
    if not any(re.search("lucas", text, re.IGNORECASE) for text in names):
        return None
    for text in reversed(names):
        years = {int(year) for year in re.findall(_SURVEYS, text)}
        if re.search(r"lucas_topsoil_v1(?!\d)", text, re.IGNORECASE):
            years.add(2009)
        if years:
            single = len(years) == 1 and not re.search(_SHORT_SECOND, text)
            return next(iter(years & {*_CAMPAIGNS}), None) if single else None
    return None


def readings_of(path: Path, soil: Soil) -> list[Reading]:
    """The entries in [[soil.tables]] that fit a file's name, in their order; without one what [soil] says of all."""
    entries = [table for table in soil.tables if _fits(path, table)]
    if not entries:
        table = SoilTable(file=path.name, columns=soil.columns)
        return [Reading(_filled(table, soil), "[soil.columns]", own=False)]
    return [Reading(_filled(table, soil), f"[[soil.tables]] file = {table.file!r}", own=True) for table in entries]


def require_entries(paths: list[Path], soil: Soil) -> None:
    """Check that each entry in [[soil.tables]] fits a file and names a CRS that exists: typing errors are told.

    Raises:
        SoilError: an entry fits no file (gives the nearest names), or its `crs` is none.
    """
    names = [nfc(path.name) for path in paths]
    for table in soil.tables:
        if table.crs:
            parse_crs(table.crs, f"[[soil.tables]] file = {table.file!r} in soc.toml")
        if not any(_fits(path, table) for path in paths):
            near = map(one_line, difflib.get_close_matches(table.file, names, n=3, cutoff=0.3) or names[:5])
            raise SoilError(
                f"[[soil.tables]] file = {table.file!r} in soc.toml: no soil table has such a name. "
                f"Nearest: {', '.join(near)}. Correct the name (* stands for anything), or take the entry out."
            )


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise SoilError(
            f"The folder of soil tables {folder} does not exist. Create it, or set [paths] soil in soc.toml; "
            "`soc demo` writes synthetic samples."
        )
    return [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith((".", "~$"))]


def _stems_of_shapefiles(files: list[Path]) -> set[str]:
    return {nfc(path.stem).lower() for path in files if path.suffix.lower() == ".shp"}


def _fits(path: Path, table: SoilTable) -> bool:
    return fits(path.name, table.file)


def _filled(table: SoilTable, soil: Soil) -> SoilTable:
    values = {
        "depth": table.depth or soil.depth,
        "below_detection": table.below_detection or soil.below_detection,
        "extra": soil.extra if table.extra is None else table.extra,
    }
    return table.model_copy(update=values)
