"""A request as intake takes it: read, with what was wrong while it was read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from notifier.domain.acceptance import IdempotencyKey
from notifier.domain.errors import Fault
from notifier.domain.notification import (
    Address,
    Attachment,
    Content,
    OnUnknown,
    Priority,
    Recipient,
)


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asks for. Addresses and headers are checked already; what is None is left to the template.

    `faults` are those found while reading. What they concern is left out here, so that the rest can be judged too
    and one answer names everything. `fields` says where each recipient stood in the request (``to[1]``).
    """

    recipients: tuple[Recipient, ...] = ()
    fields: tuple[str, ...] = ()
    template: str | None = None
    version: int | str | None = None
    content: Content | None = None
    sender: Address | None = None
    reply_to: tuple[Address, ...] = ()
    locale: str | None = None
    timezone: str | None = None
    data: Mapping[str, Any] | None = None
    send_at: datetime | None = None
    expires_at: datetime | None = None
    priority: Priority | None = None
    on_unknown: OnUnknown | None = None
    reference: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()
    idempotency: IdempotencyKey | None = None
    resend_of: str | None = None
    faults: tuple[Fault, ...] = ()
