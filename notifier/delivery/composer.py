"""Making the message of a notification: rendered with the version it was accepted with, ready to be built."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from notifier.delivery.ports import Files, Renderer, Rendering, Sign
from notifier.domain.notification import Address, Attachment, Notification
from notifier.domain.unsubscribe import Stop, UnsubscribeLinks
from notifier.mail.mime import Message, build


@dataclass(frozen=True, slots=True)
class Composed:
    """A message that is ready to be built, and what it was rendered to."""

    rendered: Rendering
    message: Message
    sign: Sign | None = None

    def build(self, smtputf8: bool) -> bytes:
        built = build(self.message, smtputf8=smtputf8)
        return self.sign(built, self.message.sender.email, self.message.date) if self.sign else built


class Composer:
    """Turns notifications into messages. The same notification always gives the same bytes. `metadata_header` is a
    header in which the relay wants to find the id that it tells of later; with `links`, readers may say stop."""

    def __init__(
        self, renderer: Renderer, files: Files, *, metadata_header: str | None = None, sign: Sign | None = None
    ) -> None:
        self._renderer = renderer
        self._files = files
        self._metadata_header = metadata_header
        self._sign = sign
        self.links: UnsubscribeLinks | None = None

    async def compose(self, one: Notification) -> Composed:
        """Raises Refused (the template cannot be rendered) or MimeError (a value cannot be sent)."""
        rendered = await self._renderer.rendered(one)
        contents = await self._files.files([ref.hash for ref in one.attachments]) if one.attachments else {}
        return Composed(rendered, _message(one, rendered, contents, await self._more_headers(one)), self._sign)

    async def _more_headers(self, one: Notification) -> dict[str, str]:
        """What stands in the mail for the machines that it passes: List-Unsubscribe (RFC 2369, RFC 8058) where one
        person reads it, who alone may say stop, and the template lets them."""
        headers = {self._metadata_header: one.id} if self._metadata_header else {}
        links = self.links
        if links is None or one.category is None or len(one.recipients) != 1:
            return headers
        if any(name.lower() == "list-unsubscribe" for name in one.headers):
            return headers
        if await self._renderer.may_unsubscribe(one):
            url = links.url(Stop(one.id, one.recipients[0].address_key, one.category))
            headers["List-Unsubscribe"] = f"<{url}>"
            if links.one_click:
                headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return headers


def _message(
    one: Notification, rendered: Rendering, contents: Mapping[str, bytes], more_headers: Mapping[str, str]
) -> Message:
    parts = [Attachment(ref.filename, ref.content_type, contents[ref.hash], ref.content_id) for ref in one.attachments]
    headers = {"X-Notifier-Id": one.id, **one.headers, **more_headers}
    if one.template:
        headers["X-Notifier-Template"] = one.template
    if one.reference:
        headers["X-Notifier-Reference"] = one.reference
    return Message(
        sender=one.sender,
        to=_named(one, "to"),
        cc=_named(one, "cc"),
        reply_to=one.reply_to,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        message_id=one.message_id,
        date=one.created_at,
        headers=headers,
        inline=(*rendered.inline, *(part for part in parts if part.content_id)),
        attachments=tuple(part for part in parts if not part.content_id),
    )


def _named(one: Notification, kind: str) -> tuple[Address, ...]:
    return tuple(Address(r.email, r.name) for r in one.recipients if r.kind == kind)


def redirected(message: Message, to: str, meant: Sequence[str]) -> Message:
    """The same mail for a staging mailbox: nobody real stands in it but in `X-Notifier-Redirected-From`."""
    headers = {**message.headers, "X-Notifier-Redirected-From": ", ".join(meant)}
    return replace(message, to=(Address(to),), cc=(), headers=headers)
