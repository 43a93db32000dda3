"""The schema's version: upgrading to the newest, and asking whether it is there. Alembic does the work.

Revisions are numbers that ascend. A migration only expands: it leaves the tables usable by the release before it, which
may still be running while it is applied; what that release alone needed is dropped one release later (contract). So a
program is content with a schema newer than its own, and leaves it alone.
"""

import threading
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

_ALEMBIC = threading.Lock()
"""Alembic's context is global to the process: two upgrades at once would run on each other's connection."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


@cache
def newest() -> str:
    """The revision that this code was written for."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None  # noqa: S101 - the first revision is part of the package
    return head


def upgrade(connection: Connection) -> None:
    """Brings the schema to the newest revision. Does nothing where it is there already, or is newer."""
    if not is_current(connection):
        with _ALEMBIC:
            command.upgrade(_config(connection), "head")


def is_current(connection: Connection) -> bool:
    """Whether the database has the revision that this code was written for, or a newer one."""
    found = MigrationContext.configure(connection).get_current_revision()
    return found is not None and found >= newest()
