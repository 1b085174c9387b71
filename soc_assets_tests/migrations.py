"""Databases of Dagster and MLflow, made as alembic makes them and read from its migrations once for a process."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

_read, _upgrade = ScriptDirectory.from_config.__func__, command.upgrade
_TABLES = "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"


@contextmanager
def known() -> Iterator[None]:
    """Migrations do not change: they are read once, and the database that they lead to from nothing is made once."""
    scripts: dict[str, ScriptDirectory] = {}
    made: dict[str, bytes] = {}

    def from_config(kind: type[ScriptDirectory], config: Config) -> ScriptDirectory:
        place = config.get_main_option("script_location") or ""
        if place not in scripts:
            scripts[place] = _read(kind, config)
        return scripts[place]

    def upgrade(config: Config, revision: str) -> None:
        """MLflow hands its connection over."""
        shared: sqlalchemy.Connection = config.attributes["connection"]
        connection, place = shared.connection.dbapi_connection, config.get_main_option("script_location") or ""
        is_new = isinstance(connection, sqlite3.Connection) and connection.execute(_TABLES).fetchone() == (0,)
        if is_new and place in made:
            with sqlite3.connect(":memory:") as source:
                source.deserialize(made[place])
                source.backup(connection)
            source.close()
            return
        _upgrade(config, revision)
        if is_new:
            made[place] = connection.serialize()

    patched = mock.patch.object(ScriptDirectory, "from_config", classmethod(from_config))
    with patched, mock.patch.object(command, "upgrade", upgrade):
        yield
