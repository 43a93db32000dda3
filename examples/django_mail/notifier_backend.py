"""Django's mail through notifier: copy this file, then in settings.py

    EMAIL_BACKEND = "notifier_backend.EmailBackend"
    NOTIFIER_URL = "http://notifier:8000"
    NOTIFIER_API_KEY = "ntf_live_..."      # with the scope send:content

A mail is safe on notifier's disk when `send()` returns; one that cannot be taken raises `notifier.client.Invalid`.
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
    def __init__(self, fail_silently: bool = False, **_: Any) -> None:
        super().__init__(fail_silently=fail_silently)
        self._client: Notifier | None = None

    def open(self) -> bool:
        if self._client is not None:
            return False
        self._client = Notifier(settings.NOTIFIER_URL, settings.NOTIFIER_API_KEY)
        return True

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        opened = self.open()
        try:
            return sum(self._send(message) for message in email_messages if message.recipients())
        finally:
            if opened:
                self.close()

    def _send(self, message: EmailMessage) -> bool:
        assert self._client is not None, "send_messages() opened it"
        asked = fields(message)
        each: list[Fields] = [asked]
        if not (message.to or message.cc):  # in bcc alone: a mail each, so that nobody sees the others
            each = [{**asked, "to": reader, "bcc": []} for reader in message.bcc]
        try:
            for one in each:
                self._client.send(**one)
        except NotifierError:
            if not self.fail_silently:
                raise
            return False
        return True


def fields(message: EmailMessage) -> Fields:
    """A message of Django's as a request to notifier."""
    headers = {name: str(value) for name, value in message.extra_headers.items()}
    reply_to = headers.pop("Reply-To", None)
    return {
        "from_": headers.pop("From", str(message.from_email)),
        "to": message.to,
        "cc": message.cc,
        "bcc": message.bcc,
        "reply_to": [reply_to] if reply_to else message.reply_to,
        "content": _content(message),
        "headers": headers,
        "attachments": [_attachment(one) for one in message.attachments],
    }


def _content(message: EmailMessage) -> Content:
    body = str(message.body)
    text, html = ("", body) if message.content_subtype == "html" else (body, "")
    for content, mimetype in getattr(message, "alternatives", ()):
        if mimetype != "text/html" or html:
            raise ValueError(f"{message.subject}: notifier sends one text and one HTML, and no {mimetype} beside them")
        html = str(content)
    return {"subject": str(message.subject), "text": text or (None if html else "\n"), "html": html or None}


def _attachment(given: Any) -> Attachment:
    if isinstance(given, Message):
        name, kind, cid = given.get_filename(), given.get_content_type(), given.get("Content-ID", "").strip("<> ")
        content: Any = given.get_payload(decode=True)
    else:
        (name, content, kind), cid = given, ""
    if isinstance(content, EmailMessage):
        content = content.message().as_bytes()
    kind = "application/octet-stream" if kind.startswith("message/") else kind  # no base64 there (RFC 2046 5.2.1)
    octets = content.encode() if isinstance(content, str) else content
    encoded = base64.b64encode(octets).decode()
    return {"filename": name or "attachment", "content_type": kind, "content": encoded, "content_id": cid or None}
