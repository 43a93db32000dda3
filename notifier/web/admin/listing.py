"""The list of templates: what is published, what is drafted, what lint says, and how much each was used.

Neither the counts nor the warnings keep the page waiting: it shows what is known, and asks again while there is more
to be found out.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from notifier.domain.template import Summary
from notifier.web.admin.drafts import is_shared
from notifier.web.admin.office import Office, office_of
from notifier.web.admin.pages import page
from notifier.web.admin.sessions import VIEWER

router = APIRouter()

_DAYS: Final = 7
_HOUR: Final = 3600
_PATIENCE: Final = 0.25
"""Seconds that one question of the page may take; the page itself takes none."""


@dataclass(frozen=True)
class _Row:
    """A template, and what is known of it. `warnings` is None until lint has looked."""

    summary: Summary
    warnings: int | None
    sent: int
    failed: int


@router.get("/templates", dependencies=VIEWER)
async def listed(request: Request) -> Response:
    office = office_of(request)
    found = await office.desk.summaries()
    sendable = [one for one in found if not is_shared(one.name)]
    patience = _PATIENCE if "hx-request" in request.headers else 0.0
    await _lint(office, sendable, patience)
    rows, counting = await _rows(office, sendable, patience)
    return page(
        request,
        "templates.html",
        rows=rows,
        shared=[one for one in found if is_shared(one.name)],
        counting=counting,
        unfinished=counting or any(row.warnings is None for row in rows),
        folder=office.templates_folder,
    )


async def _lint(office: Office, sendable: Sequence[Summary], seconds: float) -> None:
    until = time.monotonic() + seconds
    for one in sendable:
        if time.monotonic() >= until:
            return
        await office.desk.lint(one.name, one.latest)


async def _rows(office: Office, sendable: Sequence[Summary], seconds: float) -> tuple[list[_Row], bool]:
    """The rows, and whether counting goes on."""
    async with office.counting_uses:
        usage = await office.store.usage(office.usage, seconds)
        counts = usage.since(int(office.clock().timestamp()) // _HOUR - 24 * _DAYS)
        counting = not (usage.complete and usage.current)
    return [
        _Row(
            one,
            office.desk.linted(one.name, one.latest),
            counts.get((one.name, "sent"), 0),
            counts.get((one.name, "failed"), 0),
        )
        for one in sendable
    ], counting
