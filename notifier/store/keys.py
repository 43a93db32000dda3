"""API keys, projects, and the audit log."""

import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping, and_, bindparam, insert, select, update

from notifier.domain.errors import ConfigurationError
from notifier.domain.key import Key
from notifier.domain.notification import uuid7
from notifier.store.dialect import insert_or_ignore
from notifier.store.engine import Tx
from notifier.store.tables import api_key, audit, project

_BY_PREFIX = select(api_key).where(api_key.c.prefix == bindparam("prefix"))


def find_key(tx: Tx, prefix: str) -> Key | None:
    row = tx.connection.execute(_BY_PREFIX, {"prefix": prefix}).mappings().one_or_none()
    return None if row is None else _key_of(row)


def keys(tx: Tx, project_name: str | None) -> list[Key]:
    """All keys, or those of one project, oldest first."""
    statement = select(api_key).order_by(api_key.c.id)
    if project_name is not None:
        statement = statement.where(api_key.c.project == project_name)
    return [_key_of(row) for row in tx.connection.execute(statement).mappings()]


def add_key(tx: Tx, key: Key) -> None:
    project_secret(tx, key.project)
    tx.connection.execute(
        insert(api_key),
        {
            "id": key.id,
            "project": key.project,
            "name": key.name,
            "prefix": key.prefix,
            "hash": key.hash,
            "mode": key.mode,
            "scopes": sorted(key.scopes),
            "rate_limit": key.rate_limit,
            "from_domains": list(key.from_domains) or None,
            "created_at": key.created_at,
            "expires_at": key.expires_at,
            "revoked_at": key.revoked_at,
        },
    )


BOOTSTRAP = "bootstrap"


def set_bootstrap_key(tx: Tx, key: Key | None) -> None:
    """Makes `key` the one bootstrap key: another that stood before ends here."""
    project_secret(tx, "default")
    # The project's row is the lock under which processes that start together agree.
    tx.connection.execute(select(project.c.name).where(project.c.name == "default").with_for_update())
    bootstrap = and_(api_key.c.name == BOOTSTRAP, api_key.c.project == "default", api_key.c.revoked_at.is_(None))
    if key is None:
        tx.connection.execute(update(api_key).where(bootstrap).values(revoked_at=tx.now))
        return
    tx.connection.execute(update(api_key).where(bootstrap, api_key.c.hash != key.hash).values(revoked_at=tx.now))
    # A key that was ended and is named by the settings again is good again.
    found = update(api_key).where(api_key.c.hash == key.hash).values(revoked_at=None, prefix=key.prefix)
    if tx.connection.execute(found).rowcount == 0:
        if find_key(tx, key.prefix) is not None:
            raise ConfigurationError(
                "NOTIFIER_API_KEY begins like another key, and keys are found by that: choose another"
            )
        add_key(tx, key)


def revoke_key(tx: Tx, id_: str, project_name: str | None) -> bool:
    """Ends a key at once. False if there is no such key (in that project), or it had ended."""
    statement = update(api_key).where(api_key.c.id == id_, api_key.c.revoked_at.is_(None)).values(revoked_at=tx.now)
    if project_name is not None:
        statement = statement.where(api_key.c.project == project_name)
    return tx.connection.execute(statement).rowcount > 0


def note(tx: Tx, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> str:
    """A row of the audit log: who did what to what. Answers its id."""
    id_ = uuid7()
    row = {"id": id_, "at": tx.now, "actor": actor, "action": action, "subject": subject, "detail": detail}
    tx.connection.execute(insert(audit), row)
    return id_


def project_secret(tx: Tx, name: str) -> bytes:
    """The secret that keys a project's idempotency fingerprints; the project is made if it is new."""
    row = {"name": name, "secret": secrets.token_hex(32), "created_at": tx.now}
    tx.connection.execute(insert_or_ignore(tx, project), row)
    stored = tx.connection.execute(select(project.c.secret).where(project.c.name == name)).scalar_one()
    return bytes.fromhex(stored)


def _key_of(row: RowMapping) -> Key:
    return Key(
        id=row["id"],
        project=row["project"],
        name=row["name"],
        prefix=row["prefix"],
        hash=row["hash"],
        mode=row["mode"],
        scopes=frozenset(row["scopes"]),
        created_at=row["created_at"],
        rate_limit=row["rate_limit"],
        from_domains=tuple(row["from_domains"] or ()),
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )
