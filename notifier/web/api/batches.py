"""/v1/notifications/batch and /v1/batches: up to a thousand notifications in one request and one commit."""

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from notifier.domain.errors import Fault, NotFound, Refused, refused, summary
from notifier.domain.key import Key
from notifier.domain.lifecycle import OPEN_STATUSES
from notifier.domain.listing import Batch
from notifier.intake import BatchReceipt, Refusal
from notifier.web.api.ids import known_form
from notifier.web.api.notifications import require_scope
from notifier.web.body import read_json
from notifier.web.callers import Reader, Sender
from notifier.web.problems import problem_body
from notifier.web.services import Services, services_of
from notifier.web.wire.answers import Json, fresh_record, instant, notification_json
from notifier.web.wire.batches import BatchAsked, read_batch
from notifier.web.wire.models import BatchQuery
from notifier.web.wire.requests import header_key

router = APIRouter(tags=["batches"])


@router.post("/v1/notifications/batch", operation_id="send_batch", status_code=202)
async def send_batch(request: Request, caller: Sender, query: Annotated[BatchQuery, Query()]) -> Response:
    """Takes a batch: all of it or nothing (`strict`), or what is good of it (`permissive`)."""
    services = services_of(request)
    raw = await read_json(request)
    key, faults = header_key(request.headers.get("idempotency-key"))
    permissive = query.validation == "permissive"
    secret = await services.secret_of(caller)
    asked = read_batch(raw, services.limits, key=key, secret=secret, permissive=permissive)
    for item in asked.requests:
        require_scope(caller, item)
    receipt = await _accepted(services, asked, caller, permissive, faults)
    answer = await _answer(services, receipt, caller, permissive, request.scope["request_id"])
    headers = {"location": f"/v1/batches/{receipt.batch}"}
    if receipt.replayed:
        headers["idempotent-replayed"] = "true"
    return Json(answer, 202, headers)


async def _accepted(
    services: Services, asked: BatchAsked, caller: Key, permissive: bool, faults: list[Fault]
) -> BatchReceipt:
    try:
        return await services.intake.accept_batch(
            asked.requests,
            caller,
            idempotency=asked.idempotency,
            permissive=permissive,
            faults=[*faults, *asked.faults],
        )
    except Refused as error:
        once = asked.told_once(error.faults)
        if error.code != Refused.code or not once:
            raise
        raise refused(once) from None


async def _answer(
    services: Services, receipt: BatchReceipt, caller: Key, permissive: bool, request_id: str
) -> dict[str, Any]:
    ids, refusals = receipt.ids, receipt.refusals
    if receipt.replayed:
        batch = await _found(services, receipt.batch, caller)
        ids, refusals = batch.notifications, [None if id_ else _FORGOTTEN for id_ in batch.notifications]
    missing = [id_ for place, id_ in enumerate(ids) if id_ and receipt.fresh.get(place) is None]
    records = dict(await services.store.records(missing)) if missing else {}
    now = datetime.now(UTC)
    records |= {fresh.id: fresh_record(fresh, now) for fresh in receipt.fresh.values() if fresh}
    data: list[Any] = []
    for id_, refusal in zip(ids, refusals, strict=True):
        if id_ is None:
            data.append({"status": 422, "problem": _problem(refusal or _FORGOTTEN, request_id)})
        elif permissive:
            data.append({"status": 202, "notification": notification_json(records[id_])})
        else:
            data.append(notification_json(records[id_]))
    return {"batch": receipt.batch, "data": data}


_MOST_FAULTS = 100
"""Of one item among a thousand; its `detail` says how many there are."""
_FORGOTTEN = Refusal((), detail="this item was refused when the batch was taken")


def _problem(refusal: Refusal, request_id: str) -> dict[str, Any]:
    detail = refusal.detail or (summary(refusal.faults) if refusal.faults else "")
    return problem_body(422, detail, code=refusal.code, faults=refusal.faults[:_MOST_FAULTS], request_id=request_id)


@router.get("/v1/batches/{id}", operation_id="get_batch")
async def get_batch(request: Request, id: str, caller: Reader) -> Response:
    """How many of a batch stand where, and whether all is over."""
    services = services_of(request)
    batch = await _found(services, id, caller)
    ids = [one for one in batch.notifications if one is not None]
    found = await services.store.statuses(list(dict.fromkeys(ids)))
    counts = Counter(found[id_] for id_ in ids if id_ in found)
    return Json(
        {
            "object": "batch",
            "id": batch.id,
            "created_at": instant(batch.created_at),
            "total": len(batch.notifications),
            "refused": batch.notifications.count(None),
            "counts": dict(counts),
            "final": not counts.keys() & OPEN_STATUSES,
            "url": f"/v1/batches/{batch.id}",
        }
    )


async def _found(services: Services, id_: str, caller: Key) -> Batch:
    batch = await services.store.find_batch(caller.project, known_form(id_, "batch"))
    if batch is None:
        raise NotFound(f"there is no batch {id_!r}")
    return batch
