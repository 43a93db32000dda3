"""Ids in paths, and finding what they name within the caller's project."""

import re
from typing import Final

from notifier.domain.errors import NotFound
from notifier.domain.key import Key
from notifier.domain.notification import Record
from notifier.web.services import Services

_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def known_form(id_: str, what: str) -> str:
    """The id in lower case. Raises NotFound for what is none: nothing can have it."""
    if not _ID.fullmatch(id_.lower()):
        raise NotFound(f"there is no {what} {id_!r}")
    return id_.lower()


async def found(services: Services, id_: str, caller: Key) -> Record:
    """The notification of that id in the caller's project. Raises NotFound."""
    id_ = known_form(id_, "notification")
    record = (await services.store.records([id_])).get(id_)
    if record is None or record.notification.project != caller.project:
        raise NotFound(f"there is no notification {id_!r}")
    return record
