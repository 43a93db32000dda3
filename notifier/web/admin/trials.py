"""A test of a template to oneself: a notification like any other, marked, on the way that all mail goes."""

import re
from typing import Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from notifier.domain.errors import Fault, NotFound, Refused, refused
from notifier.domain.key import TRIAL, Key
from notifier.domain.notification import Record
from notifier.intake import Request as Asked
from notifier.web.admin.office import BASE, office_of, services_of
from notifier.web.admin.sessions import VIEWER, Editor
from notifier.web.wire.addresses import Addressees
from notifier.web.wire.answers import Json

router = APIRouter()

TAG: Final = "test"
"""What a test is found by in the list of notifications."""
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_LONGEST_WAIT: Final = 20


class _Trial(BaseModel):
    """What the dialog sends. `sample` is one of that version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: str = Field(max_length=1000)
    version: int
    sample: str | None = None
    locale: str | None = Field(None, max_length=35)


@router.post("/templates/{name:path}/test")
async def send(request: Request, name: str, user: Editor) -> Response:
    """Sends a version, published or not, with a sample's data. Where the team's addresses are set, to those alone."""
    services, office = services_of(request), office_of(request)
    try:
        trial = _Trial.model_validate_json(await request.body())
        whole = await office.desk.whole(name, trial.version)
        faults: list[Fault] = []
        people = Addressees(services.limits.recipients, faults)
        people.add("to", trial.to.strip())
        people.check()
        if faults:
            raise refused(faults)
        asked = Asked(
            recipients=tuple(people.recipients),
            fields=tuple(people.fields),
            template=name,
            version=trial.version,
            locale=trial.locale,
            data=(whole.source.samples or {}).get(trial.sample or "default", {}),
            tags=(TAG,),
            metadata={"sent_by": user.name},
        )
        caller = Key(
            id=f"{TRIAL}{user.id}",
            project="default",
            name=user.name,
            prefix="",
            hash="",
            mode="team" if office.team else "live",
            scopes=frozenset({"send"}),
            created_at=user.created_at,
        )
        receipt = await services.intake.accept(asked, caller)
    except ValidationError as error:
        return Json({"message": str(error.errors()[0]["msg"])}, 422)
    except Refused as error:
        return Json({"message": "; ".join(fault.message for fault in error.faults) or error.detail}, error.status)
    await office.note(user.name, "template.test", name, {"version": trial.version, "as": receipt.ids[0]})
    return Json(_told(await _record(request, receipt.ids[0])))


@router.get("/trials/{id}", dependencies=VIEWER)
async def follow(request: Request, id: str, wait: int = 0) -> Response:
    """Where a test stands; with `wait`, once it is final or after so many seconds."""
    if wait and not (await _record(request, id)).final:
        await services_of(request).watch.final(id, min(wait, _LONGEST_WAIT))
    return Json(_told(await _record(request, id)))


async def _record(request: Request, id_: str) -> Record:
    record = (await services_of(request).store.records([id_])).get(id_) if _ID.fullmatch(id_) else None
    if record is None:
        raise NotFound("There is no such test.")
    return record


def _told(record: Record) -> dict[str, object]:
    id_ = record.notification.id
    return {
        "status": record.status,
        "final": record.final,
        "error": record.error,
        "url": f"{BASE}/notifications/{id_}",
        "follow": f"{BASE}/trials/{id_}",
    }
