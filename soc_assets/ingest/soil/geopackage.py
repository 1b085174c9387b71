"""What a GeoPackage is made of, as its database says: a GeoPackage of samples is tables, and nothing that computes.

Views and generated columns compute what a query reads, without end if they are made so; virtual tables read other
files. Only the schema is read here.
"""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from soc_assets.errors import SoilError

_SQLITE = b"SQLite format 3\0"
_OWN = ("gpkg_", "sqlite_", "rtree_")
_INDEX = re.compile(r'create virtual table (?:"rtree_(?:[^"]|"")*"|rtree_\w+) using rtree ?\(')
_CURE = "Export the layer into a new GeoPackage (QGIS: Export, Save Features As): that makes plain tables of it."
_COMPUTED = (2, 3)  # `hidden` of PRAGMA table_xinfo


def require_plain_geopackage(path: Path) -> None:
    """Check that a file is a GeoPackage of plain tables; views of users' own are found by `views_of`.

    Raises:
        SoilError: it is something else, or has virtual tables, generated columns or views in place of its own tables.
    """
    with path.open("rb") as file:
        head = file.read(len(_SQLITE))
    if head != _SQLITE:
        message = f"it cannot be read as gpkg: it is no GeoPackage, it begins with {head!r}"
        raise SoilError(f"{message}. Write it again, or give it its right name.")
    with closing(_opened(path)) as database:
        schema = _schema(database)
        if not any(name == "gpkg_contents" and kind == "table" for kind, name, _ in schema):
            raise SoilError(f"it is a database of SQLite, but no GeoPackage: it has no table gpkg_contents. {_CURE}")
        for kind, name, sql in schema:
            if kind == "virtual" and not _INDEX.match(sql):
                raise SoilError(f"{name!r} in it is a virtual table, which may read other files. {_CURE}")
            if kind == "view" and name.startswith(_OWN):
                raise SoilError(f"{name!r} in it is a view where a GeoPackage has a table. {_CURE}")
            if kind == "table":
                _require_stored(database, name)


def views_of(path: Path) -> set[str]:
    """Names of the views of a GeoPackage."""
    with closing(_opened(path)) as database:
        return {str(name) for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'view'")}


def require_counted(path: Path, table: str, read: int) -> None:
    """Check that all rows of a table are read: GDAL takes their number from another table, which may be wrong.

    Raises:
        SoilError: there are more, or fewer.
    """
    quoted = table.replace('"', '""')
    with closing(_opened(path)) as database:
        (count,) = database.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()
    if count != read:
        raise SoilError(
            f"its table gpkg_ogr_contents says that {table!r} has {read:,} rows, but it has {count:,}. {_CURE}"
        )


def view_problem(name: str) -> str:
    """Why a view is not read."""
    return f"the layer {name!r} is a view, which computes what it shows. {_CURE}"


def _opened(path: Path) -> sqlite3.Connection:
    """The database, to be read only, without trust in the functions that its schema calls."""
    still = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"  # in a folder that is read-only, too
    database = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro{still}", uri=True)
    database.execute("PRAGMA trusted_schema = OFF")
    return database


def _schema(database: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Kind (`virtual` for virtual tables), name and `_plain` SQL of everything."""
    rows = database.execute("SELECT type, name, coalesce(sql, ''), rootpage FROM sqlite_master").fetchall()
    schema = []
    for kind, name, sql, page in rows:
        plain = _plain(str(sql))
        is_virtual = kind == "table" and (plain.startswith("create virtual table") or not page)
        schema.append(("virtual" if is_virtual else str(kind), str(name).lower(), plain))
    return schema


def _plain(sql: str) -> str:
    """SQL in lower case with its words parted by one blank, comments left out."""
    parts, rest = [], sql.lower()
    while rest:
        opening = min((place for sign in ("/*", "--") if (place := rest.find(sign)) >= 0), default=len(rest))
        parts.append(rest[:opening])
        ending = "*/" if rest[opening : opening + 2] == "/*" else "\n"
        closed = rest.find(ending, opening + 2)
        rest = rest[closed + len(ending) :] if closed >= 0 else ""
    return " ".join(" ".join(parts).split())


def _require_stored(database: sqlite3.Connection, table: str) -> None:
    quoted = table.replace('"', '""')
    for column in database.execute(f'PRAGMA table_xinfo("{quoted}")').fetchall():
        if column[-1] in _COMPUTED:
            raise SoilError(f"the column {column[1]!r} of {table!r} in it is generated, not stored. {_CURE}")
