"""The verdict at the door: every fault of a request, or the notification that it becomes."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from notifier.domain.acceptance import New
from notifier.domain.errors import Fault, NotifierError, Refused
from notifier.domain.key import Key
from notifier.domain.notification import SIMULATOR, Address, AttachmentRef, Notification, OnUnknown, Priority, uuid7
from notifier.intake.ports import Addresses, Entry, Objection, Options, Templates, Verdict
from notifier.intake.request import Request

LONGEST_SUBJECT: Final = 998
"""Characters of a rendered subject."""
_FURTHEST: Final = timedelta(days=365_250)
"""A thousand years: a time beyond is a mistake, and with the last ones of the calendar nobody can reckon."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Either `new`, or why not."""

    new: New | None
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class _Nothing:
    """The verdict on nothing."""

    faults: tuple[Fault, ...] = ()
    rendered: None = None


@dataclass(frozen=True, slots=True)
class _Defaults:
    """What a template says where the request is silent; literal content has these."""

    sender: Address
    reply_to: tuple[Address, ...] = ()
    category: str | None = None
    priority: Priority = "normal"
    expires_after: float | None = None
    on_unknown: OnUnknown = "retry"


class Judge:
    """Checks a request against its template, its key and the team's list."""

    def __init__(
        self,
        templates: Templates,
        addresses: Addresses,
        objection: Objection,
        sender: Address,
        team: Collection[str],
    ) -> None:
        self._templates = templates
        self._addresses = addresses
        self._objection = objection
        self._plain = _Defaults(sender)
        self._team = frozenset(entry.lower().removeprefix("@") for entry in team)
        self._parsed: dict[str, Address] = {}

    async def __call__(self, request: Request, caller: Key, now: datetime, batch: str | None = None) -> Judged:
        faults = [*request.faults, *self._faults_of_key(request, caller)]
        entry, defaults, words = None, self._plain, None
        if request.template is not None:
            try:
                entry = await self._templates.resolve(request.template, request.version)
            except Refused as refusal:
                faults += refusal.faults or [Fault("template", refusal.code, refusal.detail)]
            else:
                defaults, more = self._defaults_of(entry.template.options)
                verdict = _verdict(entry, request, now)
                faults += [*more, *verdict.faults]
                if verdict.rendered:
                    faults += self._faults_of_subject(verdict.rendered.subject)
                    words = verdict.rendered.locale
        send_at = request.send_at
        expires_at = request.expires_at
        faults += _faults_of_times(request, now)
        if faults:
            return Judged(None, tuple(faults))
        if expires_at is None and defaults.expires_after is not None:
            expires_at = (send_at or now) + timedelta(seconds=min(defaults.expires_after, _FURTHEST.total_seconds()))
        id_ = uuid7()
        sender = request.sender or defaults.sender
        files, refs = _stored_once(request)
        return Judged(
            New(
                Notification(
                    id=id_,
                    project=caller.project,
                    created_at=now,
                    message_id=f"<{id_}@{self._addresses.comparison_key(sender.email).rpartition('@')[2]}>",
                    sender=sender,
                    recipients=request.recipients,
                    key=caller.id,
                    mode=caller.mode,
                    template=request.template,
                    version=entry.number if entry else None,
                    category=defaults.category,
                    locale=request.locale,
                    words=words,
                    timezone=request.timezone,
                    data=request.data or {},
                    content=request.content,
                    reply_to=request.reply_to or defaults.reply_to,
                    headers=request.headers,
                    attachments=refs,
                    reference=request.reference,
                    tags=request.tags,
                    metadata=request.metadata,
                    priority=request.priority or defaults.priority,
                    on_unknown=request.on_unknown or defaults.on_unknown,
                    send_at=send_at,
                    expires_at=expires_at,
                    resend_of=request.resend_of,
                    batch=batch,
                ),
                request.idempotency,
                files,
            )
        )

    def _faults_of_key(self, request: Request, caller: Key) -> list[Fault]:
        """What this caller may not do with a request that others could make."""
        faults = []
        if request.sender and caller.from_domains:
            domain = self._domain(request.sender.email)
            if domain not in {allowed.lower() for allowed in caller.from_domains}:
                message = f"this key may not write from {domain}, only from {', '.join(caller.from_domains)}"
                faults.append(Fault("from", "forbidden", message))
        if caller.mode == "team":
            message = "a team key writes only to the addresses of NOTIFIER_TEAM_ADDRESSES, and this is none of them"
            faults += [
                Fault(field, "not_on_team", message)
                for field, one in zip(request.fields, request.recipients, strict=True)
                if not self._team_has(one.address_key)
            ]
        return faults

    def _faults_of_subject(self, subject: str) -> list[Fault]:
        """The template may be fine and the data too, and the subject that they make still be none."""
        if len(subject) > LONGEST_SUBJECT:
            message = f"makes a subject of {len(subject)} characters; at most {LONGEST_SUBJECT} are taken"
            return [Fault("data", "length", message)]
        complaint = self._objection(subject)
        return [Fault("data", "characters", f"makes a subject that {complaint}")] if complaint else []

    def _team_has(self, address_key: str) -> bool:
        domain = address_key.rpartition("@")[2]
        return address_key in self._team or domain in self._team or domain == SIMULATOR

    def _domain(self, email: str) -> str:
        return self._addresses.comparison_key(email).rpartition("@")[2]

    def _defaults_of(self, options: Options) -> tuple[_Defaults, list[Fault]]:
        faults: list[Fault] = []

        def address(text: str, option: str) -> Address | None:
            try:
                return self._address(text)
            except NotifierError as error:
                faults.append(Fault("template", "broken", f"its option {option} is no address: {error}"))
                return None

        sender = address(options.from_, "from") if options.from_ else None
        reply_to = tuple(found for text in options.reply_to if (found := address(text, "reply_to")))
        defaults = _Defaults(
            sender or self._plain.sender,
            reply_to,
            options.category or None,
            options.priority,
            options.expires_after,
            options.on_unknown,
        )
        return defaults, faults

    def _address(self, text: str) -> Address:
        """Options are few and asked for with every request."""
        known = self._parsed.get(text)
        if known is None:
            known = self._parsed[text] = self._addresses.parse_address(text)
        return known


def _verdict(entry: Entry, request: Request, now: datetime) -> Verdict:
    # Data that could not be read is told already; the rest of the request is judged all the same.
    if request.data is None:
        return _Nothing()
    return entry.template.verdict(request.data, locale=request.locale, timezone=request.timezone, at=now)


def _faults_of_times(request: Request, now: datetime) -> list[Fault]:
    given = {"send_at": request.send_at, "expires_at": request.expires_at}
    if far := [field for field, at in given.items() if at and at - now > _FURTHEST]:
        return [Fault(field, "far", "is more than a thousand years from now") for field in far]
    if request.expires_at is None:
        return []
    if request.expires_at <= now:
        return [Fault("expires_at", "past", "is in the past, so nobody could ever send this")]
    if request.send_at and request.expires_at <= request.send_at:
        return [Fault("expires_at", "order", "is not after send_at, so nobody could ever send this")]
    return []


def _stored_once(request: Request) -> tuple[Mapping[str, bytes], tuple[AttachmentRef, ...]]:
    if not request.attachments:
        return {}, ()
    files: dict[str, bytes] = {}
    refs = []
    for one in request.attachments:
        digest = one.hash or hashlib.sha256(one.content).hexdigest()
        files[digest] = one.content
        refs.append(AttachmentRef(one.filename, one.content_type, one.content_id, digest))
    return files, tuple(refs)
