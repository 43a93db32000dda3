"""Templates and their versions. A version is found by number or by content hash, and never changes."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import RowMapping, and_, func, insert, select, update

from notifier.domain.key import TRIAL
from notifier.domain.template import Closure, NewVersion, Published, Summary, Version
from notifier.store.dialect import insert_or_ignore
from notifier.store.engine import Tx
from notifier.store.tables import asset, notification, project, template, template_version

v = template_version.c

_VERSION = (v.template, v.number, v.hash, v.origin, v.author, v.note, v.created_at, v.published_at)


def published(tx: Tx) -> dict[str, Published]:
    """The published version of every template that has one, by name."""
    rows = tx.connection.execute(
        select(template.c.name, v.number, v.hash, v.origin)
        .join(template_version, and_(v.template == template.c.name, v.number == template.c.published))
        .where(template.c.deleted_at.is_(None))
    )
    return {row.name: Published(row.number, row.hash, row.origin) for row in rows}


def find_version(tx: Tx, name: str, wanted: int | str) -> Closure | None:
    """A version by its number, or by its content hash."""
    which = v.number == wanted if isinstance(wanted, int) else v.hash == wanted
    row = tx.connection.execute(select(template_version).where(v.template == name, which)).mappings().one_or_none()
    if row is None:
        return None
    return Closure(_version_of(row), row["bundle"], {})


def assets(tx: Tx, hashes: Iterable[str]) -> dict[str, bytes]:
    """The contents of assets, by hash."""
    wanted = list(hashes)
    if not wanted:
        return {}
    rows = tx.connection.execute(select(asset).where(asset.c.hash.in_(wanted)))
    return {row.hash: row.content for row in rows}


def versions(tx: Tx, name: str) -> list[Version]:
    """All versions of a template, newest first."""
    statement = select(*_VERSION).where(v.template == name).order_by(v.number.desc())
    return [_version_of(row) for row in tx.connection.execute(statement).mappings()]


def add_version(tx: Tx, new: NewVersion, publish: bool) -> Version:
    """Stores a version under the next number, or finds the one of the same content; publishes it if told to."""
    row = {"name": new.template, "description": new.description, "published": None, "created_at": tx.now}
    tx.connection.execute(insert_or_ignore(tx, template), {**row, "deleted_at": None})
    # The template's row is the lock under which numbers are given out.
    locked = select(template.c.name).where(template.c.name == new.template).with_for_update()
    tx.connection.execute(locked).scalar_one()
    changed = {"description": new.description, "deleted_at": None}
    tx.connection.execute(update(template).where(template.c.name == new.template).values(changed))
    for hash_, content in new.assets.items():
        tx.connection.execute(insert_or_ignore(tx, asset), {"hash": hash_, "content": content})
    found = find_version(tx, new.template, new.hash)
    if found is None:
        last = tx.connection.execute(select(func.max(v.number)).where(v.template == new.template)).scalar_one()
        tx.connection.execute(
            insert(template_version),
            {
                "template": new.template,
                "number": (last or 0) + 1,
                "hash": new.hash,
                "origin": new.origin,
                "author": new.author,
                "note": new.note,
                "bundle": new.bundle,
                "created_at": tx.now,
                "published_at": None,
            },
        )
        found = find_version(tx, new.template, new.hash)
    assert found is not None  # noqa: S101 - it was inserted a moment ago, under the lock
    if publish:
        publish_version(tx, new.template, found.version.number)
    return found.version


def publish_version(tx: Tx, name: str, number: int) -> bool:
    """Makes a version the published one. False if there is none of that number."""
    known = tx.connection.execute(select(v.number).where(v.template == name, v.number == number)).first()
    if known is None:
        return False
    tx.connection.execute(update(template).where(template.c.name == name).values(published=number))
    tx.connection.execute(
        update(template_version).where(v.template == name, v.number == number).values(published_at=tx.now)
    )
    return True


def publish_all(tx: Tx, pairs: Iterable[tuple[str, int]]) -> None:
    """Several at once: nobody sees some of them changed and others not."""
    for name, number in sorted(pairs):
        publish_version(tx, name, number)


def is_live(tx: Tx, name: str) -> bool:
    """Whether there is such a template, published or not, that is not deleted."""
    known = select(template.c.name).where(template.c.name == name, template.c.deleted_at.is_(None))
    return tx.connection.execute(known).first() is not None


def find_asset(tx: Tx, beginning: str) -> bytes | None:
    """The content whose hash begins so (lower-case hex)."""
    after = beginning[:-1] + chr(ord(beginning[-1]) + 1)
    found = select(asset.c.content).where(asset.c.hash >= beginning, asset.c.hash < after).limit(1)
    return tx.connection.execute(found).scalar()


def summaries(tx: Tx) -> list[Summary]:
    """Every template that is not deleted, by name."""
    latest = select(v.template, func.max(v.number).label("number")).group_by(v.template).subquery()
    rows = tx.connection.execute(
        select(template.c.name, template.c.description, template.c.published, v.number, v.origin, v.created_at)
        .join(latest, latest.c.template == template.c.name)
        .join(template_version, and_(v.template == template.c.name, v.number == latest.c.number))
        .where(template.c.deleted_at.is_(None))
        .order_by(template.c.name)
    )
    return [Summary(row.name, row.description, row.published, row.number, row.origin, row.created_at) for row in rows]


def delete_template(tx: Tx, name: str) -> bool:
    """Nobody can name it any more; what was accepted with one of its versions is still sent with it."""
    gone = update(template).where(template.c.name == name, template.c.deleted_at.is_(None))
    return tx.connection.execute(gone.values(deleted_at=tx.now, published=None)).rowcount > 0


def recent_data(tx: Tx, name: str, most: int) -> list[Mapping[str, Any]]:
    """The data of the last accepted requests that named a template, of all projects, newest first; what somebody sent
    to try it is none of them."""
    n = notification.c
    found: list[tuple[str, Mapping[str, Any]]] = []
    for (owner,) in tx.connection.execute(select(project.c.name)):
        statement = select(n.id, n.data).where(n.project == owner, n.template == name, n.key.not_like(f"{TRIAL}%"))
        statement = statement.order_by(n.id.desc()).limit(most)
        found.extend((row.id, row.data or {}) for row in tx.connection.execute(statement))
    found.sort(key=lambda pair: pair[0], reverse=True)
    return [data for _, data in found[:most]]


def _version_of(row: RowMapping) -> Version:
    return Version(
        template=row["template"],
        number=row["number"],
        hash=row["hash"],
        origin=row["origin"],
        author=row["author"],
        note=row["note"],
        created_at=row["created_at"],
        published_at=row["published_at"],
    )
