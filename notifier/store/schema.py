"""The schema's version: upgrading to the newest, and asking whether it is there. Alembic does the work.

Revisions are numbers that ascend, and each migration's file begins with its own. A migration only expands: it leaves
the tables usable by the release before it, which may still be running while it is applied; what that release alone
needed is dropped one release later (contract). So a program is content with a schema newer than its own, and leaves it
alone.
"""

import threading
from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_ALEMBIC = threading.Lock()
"""Alembic's context is global to the process: two upgrades at once would run on each other's connection."""


@cache
def newest() -> str:
    """The revision that this code was written for."""
    return max(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def upgrade(connection: Connection) -> None:
    """Brings the schema to the newest revision. Does nothing where it is there already, or is newer."""
    if is_current(connection):
        return
    # A tenth of a second to import, and few processes find a schema to upgrade.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.upgrade(config, "head")


def is_current(connection: Connection) -> bool:
    """Whether the database has the revision that this code was written for, or a newer one."""
    if not inspect(connection).has_table("alembic_version"):
        return False
    found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found is not None and str(found) >= newest()
