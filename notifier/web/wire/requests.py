"""JSON to requests: what intake judges further, with every fault that reading alone can find."""

import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from notifier.domain.acceptance import IdempotencyKey
from notifier.domain.errors import Fault, Refused
from notifier.domain.notification import Address, Attachment, Content
from notifier.intake.request import Request
from notifier.mail.headers import check_headers
from notifier.mail.mime import check_part
from notifier.web.wire.addresses import Addressees, read_address, read_addresses
from notifier.web.wire.faults import salvage
from notifier.web.wire.limits import Limits
from notifier.web.wire.models import AttachmentBody, ContentBody, Fields

LONGEST_KEY = 256


@dataclass(frozen=True, slots=True)
class Shared:
    """What the items of a batch share by its defaults, so that it is decoded and hashed once: 9 MB of attachments a
    thousand times are 9 GB and minutes. `files` are what base64 stands for and the SHA-256 of that; `digests` are of
    values by their identity, which is good for as long as the request's JSON is there."""

    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    digests: dict[int, str] = field(default_factory=dict)


_LARGE = ("attachments", "content")
_HEADER_KEY = re.compile("[!-~](?:[ -~]*[!-~])?")
_RESERVED_HEADERS = ("x-notifier-", "x-pm-metadata-notifier-")
"""By these, people and providers' reports find the notification of a mail."""


def read_request(
    raw: Any, limits: Limits, *, key: str | None = None, secret: bytes = b"", shared: Shared | None = None
) -> Request:
    """One notification's JSON. `key` is the Idempotency-Key header, `secret` what fingerprints are keyed with."""
    shared = shared or Shared()
    if not isinstance(raw, dict):
        return Request(faults=(Fault("", "type", "the body must be an object"),))
    try:
        body, faults = salvage(Fields, raw)
    except Refused as refusal:
        return Request(faults=refusal.faults)
    people = Addressees(limits.recipients, faults)
    people.add("to", body.to)
    people.add("cc", body.cc)
    people.add("bcc", body.bcc)
    people.check()
    known = {fault.field.partition(".")[0].partition("[")[0] for fault in faults}
    faults += _of_body(body, known)
    return Request(
        recipients=tuple(people.recipients),
        fields=tuple(people.fields),
        template=body.template if body.content is None else None,
        version=body.version,
        content=_content(body.content, limits, faults),
        sender=_sender(body.from_, faults),
        reply_to=tuple(address for _, address in read_addresses(body.reply_to, "reply_to", faults)),
        locale=body.locale,
        timezone=body.timezone,
        data=None if "data" in known else _data(body.data, limits, faults),
        send_at=body.send_at,
        expires_at=body.expires_at,
        priority=body.priority,
        on_unknown=body.on_unknown,
        reference=body.reference,
        tags=tuple(dict.fromkeys(body.tags or ())),
        metadata=body.metadata or {},
        headers=_headers(body.headers, faults),
        attachments=_attachments(body.attachments or (), limits, shared, faults),
        idempotency=_idempotency(raw, key, body.idempotency_key, secret, shared, faults),
        faults=tuple(faults),
    )


def _of_body(body: Fields, known: set[str]) -> list[Fault]:
    """What a notification is made of: a template or literal content, and just one of them."""
    if body.template is not None and body.content is not None:
        return [Fault("content", "conflict", "give a template or a content, not both")]
    if body.template is None and body.content is None and not known & {"template", "content"}:
        return [Fault("template", "missing", "is missing: name a template, or give a content")]
    if body.content is not None:
        return [
            Fault(field, "conflict", "goes with a template, not with a content")
            for field, value in (("data", body.data), ("version", body.version))
            if value
        ]
    return []


def _sender(given: Any, faults: list[Fault]) -> Address | None:
    return None if given is None else read_address(given, "from", faults)


def _data(data: Mapping[str, Any] | None, limits: Limits, faults: list[Fault]) -> Mapping[str, Any]:
    if data and (size := len(to_json(data))) > limits.data:
        faults.append(Fault("data", "length", f"has {size} octets as JSON; at most {limits.data} are taken"))
    return data or {}


def _content(body: ContentBody | None, limits: Limits, faults: list[Fault]) -> Content | None:
    if body is None:
        return None
    if not body.subject.strip():
        faults.append(Fault("content.subject", "missing", "is empty"))
    if len(body.subject) > limits.subject:
        faults.append(Fault("content.subject", "length", f"has more than {limits.subject} characters"))
    if not body.text and not body.html:
        faults.append(Fault("content.text", "missing", "give a text, an html, or both"))
    return Content(body.subject[: limits.subject], body.text, body.html)


def _headers(headers: Mapping[str, str] | None, faults: list[Fault]) -> Mapping[str, str]:
    if not headers:
        return {}
    faults += check_headers(headers)
    for name in headers:
        if name.lower().startswith(_RESERVED_HEADERS):
            message = "X-Notifier-* and X-PM-Metadata-notifier-* are written by notifier"
            faults.append(Fault(f"headers.{name}", "reserved", message))
    return headers


def _decoded(text: str) -> tuple[bytes, str]:
    content = binascii.a2b_base64(text, strict_mode=True)
    return content, hashlib.sha256(content).hexdigest()


def _attachments(
    bodies: Sequence[AttachmentBody], limits: Limits, shared: Shared, faults: list[Fault]
) -> tuple[Attachment, ...]:
    found: list[Attachment] = []
    total = 0
    for n, body in enumerate(bodies):
        try:
            content, digest = shared.files.get(body.content) or _decoded(body.content)
        except ValueError:
            faults.append(Fault(f"attachments[{n}].content", "syntax", "is not base64 (RFC 4648, with padding)"))
            continue
        shared.files[body.content] = content, digest
        total += len(content)
        part = Attachment(body.filename, body.content_type, content, body.content_id, digest)
        if complaint := check_part(part):
            faults.append(Fault(f"attachments[{n}].{complaint[0]}", "syntax", complaint[1]))
        if part.content_id is not None and any(other.content_id == part.content_id for other in found):
            message = "stands at an earlier attachment already"
            faults.append(Fault(f"attachments[{n}].content_id", "duplicate", message))
        found.append(part)
    if total > limits.attachments:
        message = f"{total} octets decoded; at most {limits.attachments} are taken together"
        faults.append(Fault("attachments", "length", message))
    return tuple(found)


def _idempotency(
    raw: Mapping[str, Any], header: str | None, own: str | None, secret: bytes, shared: Shared, faults: list[Fault]
) -> IdempotencyKey | None:
    if header and own and header != own:
        message = "is another one than the header Idempotency-Key"
        faults.append(Fault("idempotency_key", "conflict", message))
        return None
    return fingerprinted(header or own, raw, secret, shared)


def fingerprinted(
    key: str | None, raw: Mapping[str, Any], secret: bytes, shared: Shared | None = None
) -> IdempotencyKey | None:
    return IdempotencyKey(key, fingerprint(raw, secret, shared or Shared())) if key else None


def fingerprint(raw: Mapping[str, Any], secret: bytes, shared: Shared) -> str:
    """HMAC-SHA-256 (hex) of a request without its key: of the same JSON in whatever order and spacing. What may be
    large goes in as its digest."""
    canonical = {name: value for name, value in raw.items() if name != "idempotency_key"}
    for name in _LARGE:
        if value := canonical.get(name):
            digest = shared.digests.get(id(value)) or hashlib.sha256(_canonical(value)).hexdigest()
            canonical[name] = shared.digests[id(value)] = digest
    return hmac.new(secret, _canonical(canonical), hashlib.sha256).hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def header_key(value: str | None) -> tuple[str | None, list[Fault]]:
    """The Idempotency-Key header, checked."""
    if value is None:
        return None, []
    if len(value) > LONGEST_KEY or not _HEADER_KEY.fullmatch(value):
        message = f"takes 1 to {LONGEST_KEY} printable ASCII characters"
        return None, [Fault("Idempotency-Key", "syntax", message)]
    return value, []
