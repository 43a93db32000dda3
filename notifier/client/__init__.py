"""A client of the service, blocking and async. It imports nothing of the server.

>>> with Notifier("http://127.0.0.1:8000", key="ntf_live_...") as notifier:
...     sent = notifier.send("password-reset", to="zoe@example.com", data={"reset_url": "https://..."})
...     notifier.wait_until_final(sent.id).status
'sent'
"""

from notifier.client.answers import Batch, BatchItem, Event, Key, Notification, Preview, Recipient, Template
from notifier.client.calls import Addresses, Attachment, Content, Fields, Filters, attachment
from notifier.client.clients import AsyncNotifier, Notifier
from notifier.client.errors import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFinal,
    NotFound,
    NotifierError,
    RateLimited,
    Refused,
    Unauthenticated,
    Unavailable,
    Unreachable,
)

__all__ = [
    "Addresses", "AsyncNotifier", "Attachment", "Batch", "BatchItem", "Conflict", "Content", "Event", "FieldError",
    "Fields", "Filters", "Forbidden", "Invalid", "Key", "NotFinal", "NotFound", "Notification", "Notifier",
    "NotifierError", "Preview", "RateLimited", "Recipient", "Refused", "Template", "Unauthenticated", "Unavailable",
    "Unreachable", "attachment",
]  # fmt: skip
