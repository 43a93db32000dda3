"""What the client sends, laid into an outbox of the test's own process: no socket, no file, no second process.

It is judged, rendered and built by the service's own code (`intake`, `templating`, `mail`), so a request that the
service would refuse is refused here. What happens afterwards (retries, schedules, webhooks) needs `notifier_server`.
"""

import json
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, Unpack
from urllib.parse import unquote

import httpx2 as httpx

from notifier.capture import MessageStore
from notifier.client.exchange import Request, Sleep, Steps
from notifier.delivery.composer import Composer
from notifier.domain.errors import Fault, NotFound, Refused
from notifier.domain.key import SCOPES, Key
from notifier.domain.lifecycle import Status
from notifier.domain.notification import Address, Notification, Record
from notifier.intake import Intake, Refusal
from notifier.mail import address
from notifier.mail.words import objection
from notifier.testing.mailbox import Mail, Wanted, wanted
from notifier.testing.shelf import Shelf
from notifier.web.problems import MEDIA_TYPE, problem_body
from notifier.web.wire.answers import fresh_record, list_json, notification_json
from notifier.web.wire.batches import read_batch
from notifier.web.wire.limits import Limits
from notifier.web.wire.requests import header_key, read_request

T = TypeVar("T")

_CALLER = Key("outbox", "default", "outbox", "", "", "live", frozenset(SCOPES), datetime(2026, 1, 1, tzinfo=UTC))
_SECRET = b"outbox"


class Outbox:
    """Everything that was sent, as mails. `templates` is the folder they are made from."""

    def __init__(self, templates: Path) -> None:
        self.messages = MessageStore(keep=100_000)
        self._shelf = Shelf(templates)
        self._intake = Intake(self._shelf, self._shelf, address, objection, sender=Address("notifier@notifier.test"))
        self._composer = Composer(self._shelf, self._shelf)
        self._limits = Limits()

    # ---- for tests

    @property
    def mails(self) -> list[Mail]:
        """Everything that was sent, oldest first."""
        return [Mail.of(message, []) for message in self.messages]

    def mail(self, **about: Unpack[Wanted]) -> Mail:
        """The first that fits, as `Mailbox.wait_for`: what was sent is here at once, so nothing is waited for. Raises
        `NoSuchMail` with a table of what was sent and why each did not fit."""
        return Mail.of(self.messages.take(wanted(**about)), [])

    def assert_none(self, **about: Unpack[Wanted]) -> None:
        """That no such mail was sent."""
        asked = wanted(**about)
        if found := self.messages.find(asked):
            there = "; ".join(f"{mail.subject!r} to {', '.join(mail.rcpt_tos)}" for mail in found)
            raise AssertionError(f"a mail was sent that should not ({asked}): {there}")

    # ---- in place of the service

    def run(self, steps: Steps[T]) -> T:
        """Carries out a call of the client's."""
        try:
            step = next(steps)
            while True:
                step = steps.send(None if isinstance(step, Sleep) else self._answer(step))
        except StopIteration as end:
            result: T = end.value
            return result

    def _answer(self, request: Request) -> httpx.Response:
        try:
            status, body = _driven(self._handle(request))
        except Refused as error:
            status = error.status
            body = problem_body(status, error.detail, code=error.code, faults=error.faults)
        headers = {"content-type": MEDIA_TYPE if status >= 400 else "application/json"}
        headers |= {"idempotent-replayed": "true"} if body.pop("replayed", False) else {}
        return httpx.Response(status, headers=headers, content=json.dumps(body).encode())

    async def _handle(self, request: Request) -> tuple[int, dict[str, Any]]:
        match request.method, *(unquote(step) for step in request.path.split("/")[2:]):
            case "POST", "notifications":
                return await self._send(request)
            case "POST", "notifications", "batch":
                return await self._send_batch(request)
            case "GET", "notifications":
                return 200, list_json([self._told(one) for one in reversed(self._shelf.notifications.values())])
            case "GET", "notifications", id_:
                if (found := self._shelf.notifications.get(id_)) is None:
                    raise NotFound(f"there is no notification {id_!r}")
                return 200, self._told(found)
        detail = "the outbox knows send, send_batch, get, wait_until_final and list; notifier_client knows all calls"
        return 501, problem_body(501, f"{request.method} {request.path}: {detail}", code="not_in_the_outbox")

    async def _send(self, request: Request) -> tuple[int, dict[str, Any]]:
        key, faults = header_key(request.headers.get("idempotency-key"))
        asked = read_request(json.loads(request.body or b""), self._limits, key=key, secret=_SECRET)
        receipt = await self._intake.accept(replace(asked, faults=(*faults, *asked.faults)), _CALLER)
        if receipt.fresh[0] is None:
            return 202, self._told(self._shelf.notifications[receipt.ids[0]]) | {"replayed": True}
        return 202, await self._taken(receipt.fresh[0])

    async def _send_batch(self, request: Request) -> tuple[int, dict[str, Any]]:
        asked = read_batch(json.loads(request.body or b""), self._limits, key=None, secret=_SECRET, permissive=True)
        receipt = await self._intake.accept_batch(asked.requests, _CALLER, permissive=True, faults=asked.faults)
        data: list[dict[str, Any]] = []
        for place, (id_, refusal) in enumerate(zip(receipt.ids, receipt.refusals, strict=True)):
            fresh = receipt.fresh.get(place)
            if fresh is not None:
                data.append({"status": 202, "notification": await self._taken(fresh)})
            elif id_ is not None:
                data.append({"status": 202, "notification": self._told(self._shelf.notifications[id_])})
            else:
                data.append({"status": 422, "problem": _problem(refusal)})
        return 202, {"batch": receipt.batch, "data": data}

    async def _taken(self, one: Notification) -> dict[str, Any]:
        """Made into a mail at once, whenever it is meant to be sent."""
        composed = await self._composer.compose(one)
        self.messages.add(one.sender.email, [reader.email for reader in one.recipients], composed.build(True))
        return notification_json(fresh_record(one, datetime.now(UTC)))

    def _told(self, one: Notification) -> dict[str, Any]:
        readers = tuple(replace(reader, status=Status.SENT) for reader in one.recipients)
        return notification_json(Record(replace(one, recipients=readers), "sent", final=True, attempts=1))


def _problem(refusal: Refusal | None) -> Mapping[str, Any]:
    faults: tuple[Fault, ...] = refusal.faults if refusal else ()
    return problem_body(422, refusal.detail if refusal else "", code=refusal.code if refusal else None, faults=faults)


def _driven(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing, whether or not a loop runs around it."""
    try:
        while True:
            work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
