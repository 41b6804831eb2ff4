"""The version of the tables: a gallery is made with the last one, and brought to it when it is opened."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sql

from visavis._require import require
from visavis.errors import InputError
from visavis.gallery.records import tables as t
from visavis.gallery.records.dialect import WRITES
from visavis.gallery.records.failures import damaged

MIGRATIONS = Path(__file__).parent / "migrations"
LATEST = "0001"
"""Version of the tables that `visavis.gallery.records.tables` describes: the last of the migrations."""


def make(connection: sql.Connection) -> None:
    """Make all tables, of the last version."""
    t.metadata.create_all(connection)
    t.version.create(connection)
    connection.execute(t.version.insert().values(version_num=LATEST))


def version(engine: sql.Engine, path: Path) -> str:
    """The version of the tables of a database.

    Raises:
        InputError: ``gallery.format``: it is no gallery.
    """
    with engine.connect() as connection:
        there = set(sql.inspect(connection).get_table_names())
        if not {"alembic_version", "gallery", "person", "sample"} <= there:
            raise InputError(
                f"{path} is no gallery; name a file that visavis made, or another path for a new one",
                reason="gallery.format",
            )
        return str(connection.execute(sql.select(t.version.c.version_num)).scalar())


def upgrade(engine: sql.Engine, path: Path, *, found: str) -> None:
    """Bring the tables of a database to the last version, in one transaction.

    Raises:
        InputError: ``gallery.newer``: a later visavis made it.
        DependencyError: Alembic is not installed.
    """
    if not found.isdigit() or found > LATEST:
        raise InputError(
            f"the gallery {path} has tables of version {found}, this visavis knows up to {LATEST}; a later one made "
            "it: run pip install --upgrade visavis",
            reason="gallery.newer",
        )
    require("alembic", extra="gallery", why="bringing a gallery of an older visavis up to date")
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, LATEST)
        except CommandError as error:
            raise damaged(path, f"its tables are of version {found}, which there never was") from error
