"""Django's mail through notifier: copy this file, then in settings.py

    EMAIL_BACKEND = "notifier_backend.EmailBackend"
    NOTIFIER_URL = "http://notifier:8000"
    NOTIFIER_API_KEY = "ntf_live_..."      # with the scope send:content

Whatever uses `django.core.mail` goes on as before, and its mail is safe on notifier's disk when `send()` returns. A
message that notifier cannot take raises `notifier.client.Invalid`, which names every fault.
"""

import base64
from collections.abc import Sequence
from email.message import Message
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from notifier.client import Attachment, Content, Fields, Notifier, NotifierError


class EmailBackend(BaseEmailBackend):
    """``django.core.mail`` by way of notifier's API."""

    def __init__(self, fail_silently: bool = False, **_: Any) -> None:
        super().__init__(fail_silently=fail_silently)
        self._client: Notifier | None = None

    def open(self) -> bool:
        """True if this call opened the connection, and not an earlier one."""
        if self._client is not None:
            return False
        self._client = Notifier(settings.NOTIFIER_URL, settings.NOTIFIER_API_KEY)
        return True

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """How many were taken."""
        opened = self.open()
        try:
            return sum(self._send(message) for message in email_messages if message.recipients())
        finally:
            if opened:
                self.close()

    def _send(self, message: EmailMessage) -> bool:
        assert self._client is not None, "send_messages() opened it"
        try:
            self._client.send(**fields(message))
        except NotifierError:
            if not self.fail_silently:
                raise
            return False
        return True


def fields(message: EmailMessage) -> Fields:
    """A message of Django's as a request to notifier."""
    headers = {name: str(value) for name, value in message.extra_headers.items()}
    sender = headers.pop("From", str(message.from_email))
    reply_to = headers.pop("Reply-To", None)
    return {
        "from_": sender,
        "to": [str(one) for one in message.to],
        "cc": [str(one) for one in message.cc],
        "bcc": [str(one) for one in message.bcc],
        "reply_to": [reply_to] if reply_to else [str(one) for one in message.reply_to],
        "content": _content(message),
        "headers": headers,
        "attachments": [_attachment(one) for one in message.attachments],
    }


def _content(message: EmailMessage) -> Content:
    body = str(message.body)
    text, html = (None, body) if message.content_subtype == "html" else (body, None)
    for content, mimetype in getattr(message, "alternatives", ()):
        if mimetype != "text/html" or html is not None:
            raise ValueError(f"{message.subject}: notifier sends one text and one HTML, and no {mimetype} beside them")
        html = str(content)
    return {"subject": str(message.subject), "text": text, "html": html}


def _attachment(given: Any) -> Attachment:
    if isinstance(given, Message):
        name, kind, cid = given.get_filename(), given.get_content_type(), given.get("Content-ID", "").strip("<> ")
        content: Any = given.get_payload(decode=True)
    else:
        (name, content, kind), cid = given, ""
    if isinstance(content, EmailMessage):  # a message that is forwarded
        content = content.message().as_bytes()
    octets = content.encode() if isinstance(content, str) else content
    encoded = base64.b64encode(octets).decode()
    return {"filename": name or "attachment", "content_type": kind, "content": encoded, "content_id": cid or None}
