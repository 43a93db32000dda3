"""What the inbox's API tells, as JSON: the models are the description, too."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from notifier.capture.extraction import Link
from notifier.capture.faults import Fault, Stage
from notifier.capture.message import Attachment, Captured
from notifier.capture.problems import Problem

_SUMMARY: dict[str, Any] = {
    "id": "5f0c7b1e9a3d4c28",
    "received_at": "2026-11-21T10:00:00.123456Z",
    "mail_from": "bounces@shop.test",
    "rcpt_tos": ["zoe@x.test"],
    "from": "hello@shop.test",
    "to": ["zoe@x.test"],
    "cc": [],
    "subject": "Set a new password",
    "message_id": "<0199a0c1-7e1c-7c3a-8f00-2f6f4d1f7a10@shop.test>",
    "size": 5312,
}
_MAIL: dict[str, Any] = _SUMMARY | {
    "headers": [["Subject", "Set a new password"], ["X-Notifier-Id", "0199a0c1-7e1c-7c3a-8f00-2f6f4d1f7a10"]],
    "text": "Your code is 482913, or follow https://shop.test/reset?t=1\n",
    "html": '<p>Your code is 482913, or <a href="https://shop.test/reset?t=1">reset it</a></p>',
    "links": [{"text": "reset it", "url": "https://shop.test/reset?t=1"}],
    "codes": ["482913"],
    "attachments": [],
}


def _example(value: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": value})


class Summary(BaseModel):
    """A mail, without what is inside. `mail_from` and `rcpt_tos` are the envelope: who really got it. `size` is in
    octets."""

    model_config = _example(_SUMMARY)

    id: str
    received_at: datetime
    mail_from: str
    rcpt_tos: list[str]
    from_: str = Field(serialization_alias="from")
    to: list[str]
    cc: list[str]
    subject: str
    message_id: str | None
    size: int

    @classmethod
    def of(cls, message: Captured, **more: Any) -> Self:
        return cls(
            id=message.id,
            received_at=message.received_at,
            mail_from=message.mail_from,
            rcpt_tos=list(message.rcpt_tos),
            from_=message.from_,
            to=list(message.to),
            cc=list(message.cc),
            subject=message.subject,
            message_id=message.message_id,
            size=len(message.raw),
            **more,
        )


class LinkTold(BaseModel):
    """A link, with the text that it stands under (empty where the text of the mail has a bare URL)."""

    text: str
    url: str

    @classmethod
    def of(cls, link: Link) -> Self:
        return cls(text=link.text, url=link.url)


class Part(BaseModel):
    """A part that is not the mail's text. `inline` says that the HTML may show it."""

    filename: str
    content_type: str
    content_id: str | None
    inline: bool
    size: int

    @classmethod
    def of(cls, part: Attachment) -> Self:
        return cls(
            filename=part.filename,
            content_type=part.content_type,
            content_id=part.content_id,
            inline=part.inline,
            size=len(part.content),
        )


class Mail(Summary):
    """A mail with what is inside. `codes` are what may be a one-time code, the likeliest first."""

    model_config = _example(_MAIL)

    headers: list[tuple[str, str]]
    text: str | None
    html: str | None
    links: list[LinkTold]
    codes: list[str]
    attachments: list[Part]

    @classmethod
    def whole(cls, message: Captured) -> Self:
        return cls.of(
            message,
            headers=list(message.headers),
            text=message.text,
            html=message.html,
            links=[LinkTold.of(link) for link in message.links],
            codes=list(message.codes),
            attachments=[Part.of(part) for part in message.attachments],
        )


class Mails(BaseModel):
    """Mails, newest first. `dropped` counts older ones that are not kept any more."""

    model_config = _example({"object": "list", "data": [_SUMMARY], "has_more": False, "dropped": 0})

    object: Literal["list"] = "list"
    data: list[Summary]
    has_more: bool
    dropped: int


class Links(BaseModel):
    model_config = _example({"object": "list", "data": _MAIL["links"]})

    object: Literal["list"] = "list"
    data: list[LinkTold]


class Codes(BaseModel):
    model_config = _example({"object": "list", "data": ["482913"]})

    object: Literal["list"] = "list"
    data: list[str]


class Near(Summary):
    """A mail that came, and why it is not the one that was waited for."""

    model_config = _example(_SUMMARY | {"why_not": "to zoe@x.test"})

    why_not: str


class NoSuchMailProblem(Problem):
    """No mail matched in time; `near` has what came instead, and why it did not match."""

    model_config = _example(
        {
            "type": "about:blank", "title": "no such mail", "status": 504, "code": "no_such_mail",
            "detail": "no mail matched to=bo@x.test within 10 s",
            "near": [_SUMMARY | {"why_not": "to zoe@x.test"}],
        }
    )  # fmt: skip

    near: list[Near]


class Deleted(BaseModel):
    """How many are gone."""

    model_config = _example({"deleted": 1})

    deleted: int


class FaultTold(BaseModel):
    """A scripted fault. `left` is how often it will still happen (null: always), `hits` how often it did."""

    model_config = _example(
        {"id": 1, "kind": "fail", "stage": "rcpt", "rcpt": "zoe@x.test", "sender": "a@x.test", "left": 2, "hits": 0}
    )  # not one null: FastAPI leaves them out of examples

    id: int
    kind: str
    stage: Stage
    rcpt: str | None
    sender: str | None
    left: int | None
    hits: int

    @classmethod
    def of(cls, fault: Fault) -> Self:
        return cls(
            id=fault.id,
            kind=type(fault.action).__name__.lower(),
            stage=fault.stage,
            rcpt=fault.rcpt,
            sender=fault.sender,
            left=fault.left,
            hits=fault.hits,
        )


class Faults(BaseModel):
    """The faults in the order in which they are tried."""

    object: Literal["list"] = "list"
    data: list[FaultTold]


class Released(BaseModel):
    """What the relay said for each recipient: `status` is sent, deferred, failed or unknown."""

    model_config = _example(
        {
            "relay": "smtp.example.com:587",
            "recipients": [{"email": "me@example.com", "status": "sent", "reply": "250 2.0.0 Ok"}],
        }
    )

    class Recipient(BaseModel):
        email: str
        status: Literal["sent", "deferred", "failed", "unknown"]
        reply: str

    relay: str
    recipients: list[Recipient]
