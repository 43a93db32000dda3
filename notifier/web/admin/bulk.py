"""One change for everything that a search finds: retry or cancel, in steps that the page asks for one after the other.

What is to be done stands in the audit log before the first step and is read from there; how far it has got stands in
the page. So nothing runs behind anybody's back, whoever answers may answer the next step too, and who closes the page
has stopped it.
"""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from notifier.domain.admin import AuditEntry, User
from notifier.domain.errors import Conflict, Forbidden, NotFound, Refused
from notifier.domain.lifecycle import NotificationStatus
from notifier.domain.listing import Filter, Page
from notifier.web.admin.office import office_of, services_of
from notifier.web.admin.pages import form_of, fragment, go, page
from notifier.web.admin.search import ASKED, ID, asked_of, filter_of, words_of
from notifier.web.admin.sessions import Editor
from notifier.web.services import Services

router = APIRouter()

Action = Literal["retry", "cancel"]
REACH: Final[Mapping[Action, tuple[NotificationStatus, ...]]] = {
    "retry": ("failed", "held", "expired", "partial"),
    "cancel": ("scheduled", "queued", "deferred"),
}
"""The statuses in which each may find something to do; gone through in this order."""
_STEP: Final = 0.4
"""Seconds of one step."""
_PIECE: Final = 25
"""Notifications that are changed in one transaction, during which nobody else's can be written on SQLite."""
_COUNTED: Final = 5_000
"""Ids that are read at a time for counting."""
_SHOWN: Final = 500
"""How far is counted before anybody has said yes."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked for: an action, the fields of a search, and how many there were when it began."""

    id: str
    action: Action
    project: str
    asked: Mapping[str, str]
    total: int

    @property
    def words(self) -> str:
        return words_of(self.asked)

    @property
    def query(self) -> str:
        return urlencode({**self.asked, "project": self.project})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has got: which of its statuses, the last id looked at there, how many were changed, how many left
    as they are."""

    place: int = 0
    after: str | None = None
    done: int = 0
    left: int = 0


def reach(action: Action, asked: Mapping[str, str]) -> tuple[NotificationStatus, ...]:
    """The statuses that an action goes through; none where it could change nothing of what was searched for."""
    return tuple(status for status in REACH[action] if asked.get("status") in (None, "", status))


def _searched(fields: Mapping[str, str], action: Action) -> tuple[dict[str, str], str, Filter]:
    """The search, its project and its filter. Raises Refused for one that finds everything, or nothing."""
    given = asked_of(fields)
    asked: dict[str, str] = {name: given[name] for name in ASKED if name in given}
    wanted, wrong = filter_of(asked)
    if not asked or wrong:
        raise Refused(wrong or "Search for something first: everything at once is not changed from here.")
    if not reach(action, asked):
        raise Refused(f"What is {asked['status']} cannot be {'tried again' if action == 'retry' else 'canceled'}.")
    return asked, given.get("project", "default"), wanted


@router.get("/bulk/{action}")
async def ask(request: Request, action: Action, user: Editor) -> Response:  # noqa: ARG001 - it takes an editor
    """What it would change, counted as far as that is quick."""
    asked, project, wanted = _searched(request.query_params, action)
    found: dict[str, int] = {}
    for status in reach(action, asked):
        one = replace(wanted, status=status)
        found[status] = len(await services_of(request).store.matching(project, one, Page(_SHOWN)))
    run = Run("", action, project, asked, sum(found.values()))
    return page(request, "bulk.html", run=run, found=found, shown=_SHOWN)


@router.post("/bulk/{action}")
async def begin(request: Request, action: Action, user: Editor) -> Response:
    """Counts, writes down what is to be done, and shows the page that does it."""
    asked, project, wanted = _searched(await form_of(request), action)
    services = services_of(request)
    total = 0
    for status in reach(action, asked):
        async for ids in _all(services, project, replace(wanted, status=status), None, _COUNTED):
            total += len(ids)
    if not total:
        raise Conflict("Nothing that was searched for can be changed any more.")
    subject = f"{words_of(asked)} ({project})"
    detail = {"total": total, "project": project, "asked": asked}
    return go(f"/runs/{await office_of(request).store.note(user.name, f'bulk.{action}', subject, detail)}")


async def _all(
    services: Services, project: str, wanted: Filter, after: str | None, size: int
) -> AsyncIterator[list[str]]:
    """The ids of everything that is wanted, newest first, in pieces."""
    while ids := list(await services.store.matching(project, wanted, Page(size, after=after))):
        yield ids
        if len(ids) < size:
            return
        after = ids[-1]


async def _run(request: Request, id_: str, user: User) -> Run:
    entry = await office_of(request).store.audit_entry(id_) if ID.fullmatch(id_) else None
    action = _action(entry)
    if entry is None or action is None:
        raise NotFound("There is no such run.")
    if entry.actor != user.name:
        raise Forbidden(f"{entry.actor} began this; begin one of your own.")
    detail: Mapping[str, Any] = entry.detail
    return Run(entry.id, action, detail["project"], detail["asked"], detail["total"])


def _action(entry: AuditEntry | None) -> Action | None:
    known: dict[str, Action] = {"bulk.retry": "retry", "bulk.cancel": "cancel"}
    return known.get(entry.action) if entry else None


@router.get("/runs/{id}")
async def show(request: Request, id: str, user: Editor) -> Response:
    """The page that asks for one step after the other."""
    return page(request, "run.html", run=await _run(request, id, user), progress=Progress(), state="running")


@router.post("/runs/{id}")
async def step(request: Request, id: str, user: Editor) -> Response:
    """Changes what can be changed in less than half a second, and answers how far that got."""
    run = await _run(request, id, user)
    form = await form_of(request)
    progress, state = _read(form), "stopped"
    if form.get("stop") != "yes":
        progress, over = await _advance(services_of(request), run, progress)
        state = "finished" if over else "running"
    if state != "running":
        detail = {"changed": progress.done, "left": progress.left, "total": run.total}
        await office_of(request).note(user.name, f"bulk.{run.action}.{state}", f"{run.words} ({run.project})", detail)
    return HTMLResponse(fragment("step.html", run=run, progress=progress, state=state))


def _read(form: Mapping[str, str]) -> Progress:
    place, done, left = (_number(form.get(name, "")) for name in ("place", "done", "left"))
    after = form.get("after", "")
    return Progress(place, after if ID.fullmatch(after) else None, done, left)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


async def _advance(services: Services, run: Run, progress: Progress) -> tuple[Progress, bool]:
    """As far as the time goes. True when nothing is left to look at."""
    change = services.store.retry_each if run.action == "retry" else services.store.cancel_each
    wanted, _ = filter_of(run.asked)
    statuses = reach(run.action, run.asked)
    end = time.monotonic() + _STEP
    while progress.place < len(statuses):
        one = replace(wanted, status=statuses[progress.place])
        async for ids in _all(services, run.project, one, progress.after, _PIECE):
            done = await change(run.project, ids)
            progress = replace(progress, after=ids[-1], done=progress.done + done, left=progress.left + len(ids) - done)
            services.wake()
            services.watch.notice()
            if time.monotonic() > end:
                return progress, False
        progress = replace(progress, place=progress.place + 1, after=None)
    return progress, True
