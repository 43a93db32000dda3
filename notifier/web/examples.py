"""One example for every call, of one order that was confirmed."""

from typing import Any, Final

ID: Final = "0199f3a1-5b7e-7000-9c3e-5d2f8f0a1b2c"
BATCH_ID: Final = "0199f3a1-5b7e-7001-8a41-0c9d4e2b7f66"
_AT: Final = "2026-01-31T09:00:00.000000Z"

SEND: Final[dict[str, Any]] = {
    "template": "order-confirmation",
    "to": "Zoë <zoe@example.com>",
    "locale": "fr-CA",
    "data": {"name": "Zoë", "order_id": "A-1001"},
    "reference": "order-1001",
    "tags": ["orders"],
    "metadata": {"user": "42"},
}
SEND_BATCH: Final[dict[str, Any]] = {
    "defaults": {"template": "welcome", "tags": ["campaign-7"]},
    "notifications": [
        {"to": "zoe@example.com", "data": {"name": "Zoë"}},
        {"to": "max@example.com", "data": {"name": "Max"}, "idempotency_key": "welcome-max"},
    ],
}
NOTIFICATION: Final[dict[str, Any]] = {
    "object": "notification",
    "id": ID,
    "status": "queued",
    "template": {"name": "order-confirmation", "version": 3, "locale": "fr"},
    "recipients": [{"email": "zoe@example.com", "name": "Zoë", "kind": "to", "status": "queued", "reply": None}],
    "reference": "order-1001",
    "tags": ["orders"],
    "metadata": {"user": "42"},
    "mode": "live",
    "priority": "normal",
    "created_at": _AT,
    "send_at": None,
    "expires_at": None,
    "attempts": 0,
    "final": False,
    "error": None,
    "waits_for": None,
    "batch": None,
    "resend_of": None,
    "message_id": f"<{ID}@example.com>",
    "next_attempt_at": _AT,
    "url": f"/v1/notifications/{ID}",
}
CANCELED: Final[dict[str, Any]] = {
    **NOTIFICATION,
    "status": "canceled",
    "final": True,
    "next_attempt_at": None,
    "recipients": [{**NOTIFICATION["recipients"][0], "status": "canceled", "reply": "canceled by the caller"}],
}
EVENT: Final[dict[str, Any]] = {
    "object": "event",
    "id": "0-17",
    "type": "email.sent",
    "at": _AT,
    "notification": ID,
    "recipient": "zoe@example.com",
    "detail": {"attempt": 1, "relay": "smtp.example.com:587", "stage": "dot", "code": 250, "enhanced": "2.0.0"},
}
MESSAGE: Final[dict[str, Any]] = {
    "object": "message",
    "id": ID,
    "message_id": f"<{ID}@example.com>",
    "date": _AT,
    "from": {"email": "shop@example.com", "name": "The shop"},
    "to": [{"email": "zoe@example.com", "name": "Zoë"}],
    "cc": [],
    "reply_to": [],
    "subject": "Commande A-1001 reçue",
    "text": "Bonjour Zoë...",
    "html": "<p>Bonjour Zoë...</p>",
    "headers": {},
    "attachments": [],
}
TAKEN_BATCH: Final[dict[str, Any]] = {"batch": BATCH_ID, "data": [{**NOTIFICATION, "batch": BATCH_ID}]}
BATCH: Final[dict[str, Any]] = {
    "object": "batch",
    "id": BATCH_ID,
    "created_at": _AT,
    "total": 1000,
    "refused": 0,
    "counts": {"sent": 640, "queued": 360},
    "final": False,
    "url": f"/v1/batches/{BATCH_ID}",
}
PAUSE: Final[dict[str, Any]] = {
    "object": "pause",
    "scope": "template:welcome",
    "reason": "the price is wrong",
    "created_at": _AT,
}
KEY_BODY: Final[dict[str, Any]] = {"name": "shop", "mode": "live", "scopes": ["send", "read"], "rate_limit": 600}
KEY: Final[dict[str, Any]] = {
    "object": "key",
    "id": "0199f3a1-5b7e-7002-b1a7-7f1f5f6c9d10",
    "name": "shop",
    "prefix": "ntf_live_Zk3fQ1x",
    "mode": "live",
    "scopes": ["read", "send"],
    "rate_limit": 600,
    "from_domains": [],
    "created_at": _AT,
    "expires_at": None,
    "revoked_at": None,
}
NEW_KEY: Final[dict[str, Any]] = {**KEY, "secret": "ntf_live_Zk3fQ1x..."}
READY: Final[dict[str, Any]] = {"status": "ok", "database": "ok", "schema": "ok", "relay": {"breaker": "closed"}}

SUMMARY: Final[dict[str, Any]] = {
    "object": "template",
    "name": "welcome",
    "description": "Greets somebody new",
    "version": 1,
    "state": "published",
    "draft": 2,
    "changed_at": _AT,
    "url": "/v1/templates/welcome",
}
_HASH: Final = "e0b49d4138d7829de257798fef56b8812d0fcb945a8b5e334b9a944ac72784af"
VERSION: Final[dict[str, Any]] = {
    "object": "template_version",
    "template": "welcome",
    "version": 1,
    "state": "published",
    "hash": _HASH,
    "origin": "api",
    "author": "shop",
    "note": None,
    "created_at": _AT,
    "published_at": _AT,
}
TEMPLATE_BODY: Final[dict[str, Any]] = {
    "description": "Greets somebody new",
    "parts": {"subject.txt": "Welcome, {{ name }}", "body.html": "<p>Welcome, {{ name }}.</p>"},
    "samples": {"default": {"name": "Zoë"}},
}
_CONTRACT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
}
WHOLE: Final[dict[str, Any]] = {
    **VERSION,
    **TEMPLATE_BODY,
    "object": "template",
    "name": "welcome",
    "schema": None,
    "settings": {"locale": "en"},
    "contract": _CONTRACT,
    "declared": False,
    "locales": ["en"],
}
SAVED: Final[dict[str, Any]] = {
    "name": "welcome",
    "version": 2,
    "state": "draft",
    "hash": _HASH,
    "contract": _CONTRACT,
    "warnings": [],
    "renewed": [],
}
CONTRACT: Final[dict[str, Any]] = {"name": "welcome", "version": 1, "declared": False, "contract": _CONTRACT}
PREVIEW: Final[dict[str, Any]] = {
    "subject": "Welcome, Zoë",
    "text": "Welcome, Zoë.",
    "html": "<p>Welcome, Zoë.</p>",
    "locale": "en",
    "warnings": [],
}
SUPPRESSION: Final[dict[str, Any]] = {
    "object": "suppression",
    "email": "zoe@example.com",
    "scope": "all",
    "reason": "bounced",
    "source": "550 5.1.1 no such user",
    "created_at": _AT,
}
WEBHOOK_BODY: Final[dict[str, Any]] = {
    "url": "https://shop.example/hooks/mail",
    "types": ["email.bounced", "email.complained"],
    "templates": [],
}
WEBHOOK: Final[dict[str, Any]] = {
    "object": "webhook",
    "id": "0199f3a1-5b7e-7004-8b52-6e3d0c1f9a77",
    **WEBHOOK_BODY,
    "enabled": True,
    "disabled_at": None,
    "disabled_reason": None,
    "failing_since": None,
    "created_at": _AT,
}
NEW_WEBHOOK: Final[dict[str, Any]] = {**WEBHOOK, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw..."}
WEBHOOK_TEST: Final[dict[str, Any]] = {
    "object": "webhook_test",
    "delivered": True,
    "answer_status": 204,
    "answer": "",
}
WEBHOOK_DELIVERY: Final[dict[str, Any]] = {
    "object": "webhook_delivery",
    "id": "0199f3a1-5b7e-7005-9c1d-2f4b8a6e0d13",
    "webhook": WEBHOOK["id"],
    "event": {**EVENT, "id": "0-42", "type": "email.bounced", "detail": {"class": "hard", "enhanced": "5.1.1"}},
    "state": "done",
    "attempts": 1,
    "created_at": _AT,
    "next_attempt_at": None,
    "answer_status": 200,
    "answer": "thanks",
}
REDELIVERY: Final[dict[str, Any]] = {
    "object": "webhook_delivery",
    "id": "0199f3a1-5b7e-7006-8e20-7a9c5d3b1f04",
    "state": "queued",
}
FEEDBACK: Final[dict[str, Any]] = {
    "RecordType": "Bounce",
    "Type": "HardBounce",
    "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
    "Email": "zoe@example.com",
    "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist",
    "Metadata": {"notifier-id": ID},
}


def listed(*data: Any) -> dict[str, Any]:
    return {"object": "list", "data": list(data), "has_more": False}


def problem(status: int, title: str) -> dict[str, Any]:
    """A problem with this status; 422 and 409 say of what."""
    found: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": title,
        "code": _CODES[status],
        "request_id": "0199f3a1-5b7e-7003-8f00-3a1b2c3d4e5f",
        "errors": [],
    }
    if status == 422:
        fault = {"field": "data.order_id", "code": "missing", "message": "is missing"}
        return {**found, "detail": "data.order_id: is missing", "errors": [fault]}
    if status == 409:
        fault = {"field": "status", "code": "sent", "message": "nothing is left to cancel"}
        return {**found, "detail": f"notification {ID} is sent: nothing is left to cancel", "errors": [fault]}
    return found


_CODES: Final = {
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "rate_limited",
    500: "internal_error",
    503: "unavailable",
}
