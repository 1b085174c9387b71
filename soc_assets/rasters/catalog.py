"""The catalog on disk: rasters in the project's folder are named relative to it, so that a project can be moved.

The table also says where the folder of rasters was: if [paths] rasters now names another folder (hosts that share data
may each name it differently), the rasters are looked for in that one.

In memory every path is what GDAL opens. A catalog of an older version, with absolute paths, is read as it is. What was
read of each file is recorded here, too: its stamp and the digest of its content.
"""

import json
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from soc_assets.errors import SocWarning, StorageError, TableError
from soc_assets.project import Project
from soc_assets.rasters.identity import readable_digest, stamp
from soc_assets.runtime import progress
from soc_assets.runtime.threads import threaded_map
from soc_assets.storage import files
from soc_assets.storage.access import source
from soc_assets.storage.raster_location import is_local

_ZIP = "/vsizip/{"
_FOLDER = "soc.rasters"  # key of the folder of rasters in the metadata
_CONTENT = ["path", "stamp", "digest"]
Stamps = dict[str, dict[str, str]]
"""Location of a file -> stamps under which it was read -> digest of its content then."""


def read_table(path: Path, project: Project, columns: list[str] | None = None) -> pd.DataFrame:
    """The catalog, or the rasters set aside, with paths as GDAL opens them.

    Args:
        path: the Parquet file.
        project: its folder, and its folder of rasters.
        columns: those wanted, `path` among them; None reads all.

    Raises:
        TableError: it is missing or damaged.
    """
    frame, former = files.read_table(path, columns), files.read_metadata(path).get(_FOLDER)
    names = [absolute(name, project.root) for name in frame["path"]]
    now = project.rasters
    if former is not None and isinstance(now, Path) and (before := project.root / former) != now:
        names = [_moved(name, before, now) for name in names]
    return frame.assign(path=pd.Series(names, dtype="str"))


def known_catalog(project: Project) -> pd.DataFrame | None:
    """The catalog, or None where it is missing, and with a warning where it is damaged: every raster is read again."""
    return _known(project.catalog, project)


def _known(path: Path, project: Project, columns: list[str] | None = None) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    try:
        return read_table(path, project, columns)
    except TableError as error:
        warnings.warn(str(error), SocWarning, stacklevel=3)
        return None


def to_keep(frame: pd.DataFrame, project: Project) -> pd.DataFrame:
    """The table as it is written, with `folder_of_rasters` as its metadata: the reverse of `read_table`."""
    return frame.assign(path=pd.Series([relative(name, project.root) for name in frame["path"]], dtype="str"))


def folder_of_rasters(project: Project) -> dict[str, str]:
    """Metadata of a table that was made by `to_keep`: the folder of rasters."""
    return {_FOLDER: relative(str(project.rasters), project.root)} if isinstance(project.rasters, Path) else {}


def name_of(location: str, project: Project) -> str:
    """The name of a raster, wherever it is stored: its path in the folder of rasters, else in the project's."""
    rasters = project.rasters
    name = relative(location, rasters) if isinstance(rasters, Path) else location
    return relative(location, project.root) if name == location else name


def _moved(location: str, former: Path, now: Path) -> str:
    name = relative(location, former)
    return location if name == location else absolute(name, now)


def relative(location: str, root: Path) -> str:
    """A location with its path relative to `root`, with `/`; unchanged where it does not lie in it."""
    head, path, tail = _parts(location)
    lies_in = bool(path) and Path(path).is_relative_to(root)
    return f"{head}{Path(path).relative_to(root).as_posix()}{tail}" if lies_in else location


def absolute(location: str, root: Path) -> str:
    """What GDAL opens: the reverse of `relative`."""
    head, path, tail = _parts(location)
    return f"{head}{root / path}{tail}" if path else location


def _parts(location: str) -> tuple[str, str, str]:
    """What stands before a path on this machine, the path, and what follows; of anything else no path."""
    if location.startswith(_ZIP) and "}" in location:
        path, _, rest = location.removeprefix(_ZIP).partition("}")
        return _ZIP, path, f"}}{rest}"
    return ("", location, "") if is_local(location) else ("", "", "")


def known_contents(catalog: Path, project: Project) -> dict[str, str]:
    """Digest of each file as the last scan read it, those set aside included; empty text where it could not be read."""
    found: dict[str, str] = {}
    for table in _tables(catalog, project):
        found |= dict(zip(table["path"], table["digest"], strict=True))
    return found


def contents_now(
    locations: Iterable[str],
    catalog: Path,
    project: Project,
) -> dict[str, str]:
    """Digest of each file now; a file is read only if its stamp is not among those under which it was read.

    What had to be read is recorded next to the catalog: a project that was copied or moved is read once.

    Args:
        locations: of the files.
        catalog: the catalog on disk.
        project: its folder, and its folder of rasters.
    """
    noted = catalog.parents[1] / ".stamps" / "rasters.parquet"
    stamps = {location: stamp(location)["stamp"] for location in locations}
    known = _known_stamps(catalog, noted, project)
    unread = [location for location, now in stamps.items() if now not in known.get(location, {})]
    read: dict[str, str] = {}
    for location, content in zip(unread, threaded_map(readable_digest, unread), strict=True):
        read[location] = content
        progress.report(len(read), len(unread), "compared with what was read")
    digests = {location: read.get(location) or known.get(location, {}).get(now, "") for location, now in stamps.items()}
    if unread:
        _note(noted, stamps, digests, project)
    return digests


def _tables(catalog: Path, project: Project) -> list[pd.DataFrame]:
    paths = [path for path in (catalog, catalog.with_name("problems.parquet")) if files.is_whole(path)]
    new = [
        path for path in paths if set(_CONTENT) <= set(pq.read_schema(source(path)).names)
    ]  # not of an older version
    return [table for path in new if (table := _known(path, project, _CONTENT)) is not None]


def _known_stamps(catalog: Path, noted: Path, project: Project) -> Stamps:
    found: Stamps = {}
    stamps = _known(noted, project)
    for table in [*_tables(catalog, project), *([] if stamps is None else [stamps])]:
        for location, mark, content in zip(table["path"], table["stamp"], table["digest"], strict=True):
            found.setdefault(location, {})[mark] = content
    return found


def _note(path: Path, stamps: Mapping[str, str], digests: Mapping[str, str], project: Project) -> None:
    rows = [(location, mark, digests[location]) for location, mark in stamps.items()]
    frame = pd.DataFrame(rows, columns=_CONTENT, dtype="str")
    with suppress(StorageError):  # a read-only project is compared again each time
        files.write_table(path, to_keep(frame, project), folder_of_rasters(project))


def variable_of(row: Mapping[Any, Any]) -> str | None:
    """Which variable or page of its file a row of the catalog is about; None where the file is one raster."""
    return json.loads(row["reading"]).get("variable") if isinstance(row.get("reading"), str) else None
