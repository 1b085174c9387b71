"""What of the environment must not reach the libraries: other programs' variables, special characters in paths."""

import os
import re
import sqlite3
from collections.abc import MutableMapping
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from soc_assets.errors import SettingsError

_PROJ = ("PROJ_DATA", "PROJ_LIB")
_VERSION = "SELECT key, value FROM metadata WHERE key LIKE 'DATABASE.LAYOUT.VERSION.%' ORDER BY key"
_SIGNS = re.compile(r"%[0-9A-Fa-f]{2}|[?{}]" + ("" if os.name == "nt" else r"|\\"))


def ignore_other_programs(environment: MutableMapping[str, str] = os.environ, own: Path | None = None) -> list[str]:
    """Take out PROJ_LIB, PROJ_DATA and GDAL_DATA where they name what another program has and rasterio cannot use.

    PostGIS, QGIS and conda set them for themselves; rasterio's wheel has its own data, without which it knows no CRS.
    A folder with a database of the same layout, with datum grids for example, stays. To be called before rasterio is
    imported.

    Args:
        environment: of the process and its children.
        own: folder of the installed rasterio; found by default.

    Returns:
        The variables taken out.
    """
    given = [name for name in (*_PROJ, "GDAL_DATA") if name in environment]
    spec = find_spec("rasterio") if given and own is None else None
    own = Path(spec.origin).parent if spec and spec.origin else own
    if not given or own is None:
        return []
    wanted, removed = _layout(own / "proj_data"), []
    for name in given:
        folders = [Path(part) for part in environment[name].split(os.pathsep) if part]
        if name in _PROJ:
            unusable = wanted is not None and not any(_fits(_layout(folder), wanted) for folder in folders)
        else:
            unusable = (own / "gdal_data").is_dir() and not any((f / "gdalvrt.xsd").is_file() for f in folders)
        if unusable:
            del environment[name]
            removed.append(name)
    return removed


def _layout(folder: Path) -> tuple[int, int] | None:
    """Layout of the database that PROJ finds in a folder: its major and minor version."""
    path = folder / "proj.db"
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            major, minor = (int(value) for _, value in connection.execute(_VERSION))
    except (sqlite3.Error, ValueError):  # something else of this name
        return None
    return major, minor


def _fits(found: tuple[int, int] | None, wanted: tuple[int, int]) -> bool:
    return found is not None and found[0] == wanted[0] and found[1] >= wanted[1]


def require_plain(folder: Path, what: str) -> None:
    """Refuse a folder whose path contains characters with a special meaning in database URLs.

    Args:
        folder: absolute.
        what: the folder, for people.

    Raises:
        SettingsError: names the sign and the part of the path.
    """
    for part in folder.parts:
        if found := _SIGNS.search(part):
            raise SettingsError(
                f"{what} is {folder}, and the databases of Dagster, MLflow and Optuna cannot be opened with "
                f"{found[0]!r} in their path. Rename the folder {part!r}, without {found[0][0]!r}."
            )
