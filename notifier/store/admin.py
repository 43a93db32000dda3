"""Who may use the admin pages: users, their sessions and one-time sign-in links, and the audit log.

A session's row is found by the SHA-256 of its cookie. A sign-in link is a row of the same table under the hash of
``link:`` and its token: taking it deletes it, so it works once, whichever process is asked.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, delete, func, insert, select, update

from notifier.domain.admin import AuditEntry, Marks, Role, Speed, Tally, User
from notifier.domain.notification import uuid7
from notifier.domain.usage import Usage
from notifier.store import keys, overview
from notifier.store import usage as uses
from notifier.store.dialect import insert_or_ignore
from notifier.store.engine import Database, Tx
from notifier.store.tables import admin_user, audit, session

u = admin_user.c
s = session.c


def users(tx: Tx) -> list[User]:
    """Everybody, by name."""
    return [_user(row) for row in tx.connection.execute(select(admin_user).order_by(u.email)).mappings()]


def find_user(tx: Tx, name: str) -> tuple[User, str | None] | None:
    """A user and their password's hash, by name (names are lower case)."""
    row = tx.connection.execute(select(admin_user).where(u.email == name)).mappings().one_or_none()
    return None if row is None else (_user(row), row["password"])


def add_user(tx: Tx, name: str, role: Role) -> User:
    """The user of that name, who is made if there is none."""
    row = {"id": uuid7(), "email": name, "password": None, "role": role, "created_at": tx.now, "disabled_at": None}
    tx.connection.execute(insert_or_ignore(tx, admin_user), row)
    return _user(tx.connection.execute(select(admin_user).where(u.email == name)).mappings().one())


def set_password(tx: Tx, user: str, hashed: str, keep: str | None = None) -> None:
    """A new password ends every session but the one of hash `keep`."""
    tx.connection.execute(update(admin_user).where(u.id == user).values(password=hashed))
    tx.connection.execute(delete(session).where(s.user == user, s.hash != (keep or "")))


def change_user(tx: Tx, user: str, role: Role, disabled: bool) -> bool:
    """Role, and whether they may sign in; their sessions end. False where it would leave no admin, or nobody."""
    others = select(func.count()).where(u.role == "admin", u.disabled_at.is_(None), u.id != user)
    leaves_admin = role == "admin" and not disabled
    # Whoever changes users waits for whoever else does: two admins must not demote each other at once.
    tx.connection.execute(select(u.id).where(u.role == "admin").with_for_update())
    if not leaves_admin and not tx.connection.execute(others).scalar_one():
        return False
    values = {"role": role, "disabled_at": tx.now if disabled else None}
    changed = tx.connection.execute(update(admin_user).where(u.id == user).values(values)).rowcount > 0
    tx.connection.execute(delete(session).where(s.user == user))
    return changed


def add_session(tx: Tx, hash_: str, user: str, expires_at: datetime) -> None:
    """A session or a link; those that are over are dropped on the way."""
    tx.connection.execute(delete(session).where(s.expires_at < tx.now))
    row = {"hash": hash_, "user": user, "created_at": tx.now, "expires_at": expires_at}
    tx.connection.execute(insert(session), row)


def find_session(tx: Tx, hash_: str) -> User | None:
    statement = select(admin_user).join(session, s.user == u.id)
    statement = statement.where(s.hash == hash_, s.expires_at > tx.now, u.disabled_at.is_(None))
    row = tx.connection.execute(statement).mappings().one_or_none()
    return None if row is None else _user(row)


def take_session(tx: Tx, hash_: str) -> User | None:
    """Ends a session, or uses a link up; answers whose it was if it was still good."""
    user = find_session(tx, hash_)
    ended = tx.connection.execute(delete(session).where(s.hash == hash_)).rowcount
    return user if ended else None


def audit_page(tx: Tx, after: str | None, limit: int) -> list[AuditEntry]:
    """Entries older than the one of id `after`, newest first."""
    statement = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if after is not None:
        statement = statement.where(audit.c.id < after)
    return [_entry(row) for row in tx.connection.execute(statement).mappings()]


def audit_entry(tx: Tx, id_: str) -> AuditEntry | None:
    row = tx.connection.execute(select(audit).where(audit.c.id == id_)).mappings().one_or_none()
    return None if row is None else _entry(row)


def _entry(row: RowMapping) -> AuditEntry:
    return AuditEntry(row["id"], row["at"], row["actor"], row["action"], row["subject"], row["detail"])


def _user(row: RowMapping) -> User:
    return User(
        row["id"], row["email"], row["role"], row["created_at"], row["password"] is not None, row["disabled_at"]
    )


class AdminStore:
    """What the admin pages keep and ask for beyond what callers do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def users(self) -> Sequence[User]:
        return await self._database.read(users)

    async def find_user(self, name: str) -> tuple[User, str | None] | None:
        return await self._database.read(lambda tx: find_user(tx, name))

    async def add_user(self, name: str, role: Role) -> User:
        return await self._database.write(lambda tx: add_user(tx, name, role))

    async def set_password(self, user: str, hashed: str, keep: str | None = None) -> None:
        await self._database.write(lambda tx: set_password(tx, user, hashed, keep))

    async def change_user(self, user: str, role: Role, disabled: bool) -> bool:
        """False where it would leave no admin, or there is no such user."""
        return await self._database.write(lambda tx: change_user(tx, user, role, disabled))

    async def add_session(self, hash_: str, user: str, expires_at: datetime) -> None:
        await self._database.write(lambda tx: add_session(tx, hash_, user, expires_at))

    async def find_session(self, hash_: str) -> User | None:
        return await self._database.read(lambda tx: find_session(tx, hash_))

    async def take_session(self, hash_: str) -> User | None:
        return await self._database.write(lambda tx: take_session(tx, hash_))

    async def audit_page(self, after: str | None, limit: int) -> Sequence[AuditEntry]:
        return await self._database.read(lambda tx: audit_page(tx, after, limit))

    async def audit_entry(self, id_: str) -> AuditEntry | None:
        return await self._database.read(lambda tx: audit_entry(tx, id_))

    async def note(self, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> str:
        """Adds to the audit log; answers the entry's id."""
        return await self._database.write(lambda tx: keys.note(tx, actor, action, subject, detail))

    async def tally(self, known: Tally) -> Tally:
        """Brings the counts of events up to this moment; a caller gives what it was answered before."""
        return await self._database.read(lambda tx: overview.tally(tx, known))

    async def usage(self, known: Usage, seconds: float) -> Usage:
        """Counts on for about so long, at least one piece, or until there is nothing left to count."""
        until = time.monotonic() + seconds
        while True:
            await self._database.read(lambda tx: uses.usage(tx, known))
            if (known.complete and known.current) or time.monotonic() >= until:
                return known

    async def speeds(self, most: int) -> Sequence[Speed]:
        """How fast the last mails went out, by template, the slowest first."""
        return await self._database.read(lambda tx: overview.speeds(tx, most))

    async def marks(self, ids: Collection[str]) -> Marks:
        """What has changed since somebody looked: of everything, and of the notifications of these ids."""
        return await self._database.read(lambda tx: overview.marks(tx, ids))

    async def projects(self) -> Sequence[str]:
        return await self._database.read(overview.projects)
