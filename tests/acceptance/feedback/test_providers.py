"""What relays for hire post: believed once it is proved, and then as good as a bounce of our own."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import NameOID

from notifier.domain.errors import Unauthenticated, Unavailable
from notifier.web.sns import SnsVerifier
from tests.acceptance.conftest import House, MakeHouse

TOPIC = "arn:aws:sns:eu-west-1:123456789012:ses"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"
MAILGUN_KEY = "key-of-mailgun"
SETTINGS = {
    "NOTIFIER_SES_TOPICS": TOPIC,
    "NOTIFIER_MAILGUN_SIGNING_KEY": MAILGUN_KEY,
    "NOTIFIER_POSTMARK_PASSWORD": "hunter2",
}


class Amazon:
    """Signs as SNS does, and hands out its certificate."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.asked: list[str] = []
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(name, name, self.key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
        self.pem = builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        return self.pem if url.endswith(".pem") else b"<ConfirmSubscriptionResponse/>"

    def message(self, told: Any, *, version: str = "2", **more: str) -> dict[str, str]:
        message = {
            "Type": "Notification",
            "MessageId": "m-1",
            "TopicArn": TOPIC,
            "Timestamp": "2026-01-30T08:12:44.000Z",
            "Message": told if isinstance(told, str) else json.dumps(told),
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE,
            **more,
        }
        return self.signed(message)

    def signed(self, message: dict[str, str]) -> dict[str, str]:
        names = ("Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type")
        text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
        algorithm = hashes.SHA256() if message["SignatureVersion"] == "2" else hashes.SHA1()  # noqa: S303
        signature = self.key.sign(text.encode(), PKCS1v15(), algorithm)
        return {**message, "Signature": base64.b64encode(signature).decode()}


@pytest.fixture(scope="module")
def amazon() -> Amazon:
    return Amazon()


@pytest.fixture
async def hired(make_house: MakeHouse, amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr("notifier.webhooks.transport.Http.fetch", lambda _self, url: amazon.fetch(url))
    return await make_house(**SETTINGS)


async def sent(house: House, **fields: Any) -> dict[str, Any]:
    taken = await house.send(**fields)
    return await house.final(taken["id"])


async def status(house: House, one: dict[str, Any]) -> str:
    return str((await house.http.get(one["url"])).json()["status"])


def ses(one: dict[str, Any], kind: str, detail: dict[str, Any], *, with_headers: bool = True) -> dict[str, Any]:
    headers = [{"name": "X-Notifier-Id", "value": one["id"]}] if with_headers else []
    return {"eventType": kind, "mail": {"messageId": "0102-ses-id", "headers": headers}, kind.lower(): detail}


BOUNCED = {
    "bounceType": "Permanent",
    "bounceSubType": "General",
    "bouncedRecipients": [
        {
            "emailAddress": "zoe@example.com",
            "action": "failed",
            "status": "5.1.1",
            "diagnosticCode": "smtp; 550 5.1.1 unknown",
        }
    ],
}


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_bounce_that_amazon_signed_is_believed(hired: House, amazon: Amazon, version: str) -> None:
    one = await sent(hired)
    message = amazon.message(ses(one, "Bounce", BOUNCED), version=version)
    headers = {"content-type": "text/plain; charset=UTF-8", "authorization": ""}
    answer = await hired.http.post("/v1/feedback/ses", content=json.dumps(message), headers=headers)
    assert answer.json() == {"object": "feedback", "read": 1, "changed": 1}
    assert await status(hired, one) == "bounced"
    assert (await hired.send())["status"] == "suppressed"


async def test_a_delivery_and_then_a_complaint(hired: House, amazon: Amazon) -> None:
    one = await sent(hired)
    steps: list[tuple[str, dict[str, Any], str]] = [
        ("Delivery", {"recipients": ["zoe@example.com"], "smtpResponse": "250 ok"}, "delivered"),
        ("Complaint", {"complainedRecipients": [{"emailAddress": "zoe@example.com"}]}, "complained"),
        ("Delivery", {"recipients": ["zoe@example.com"]}, "complained"),
    ]
    for kind, detail, expected in steps:
        await hired.http.post("/v1/feedback/ses", json=amazon.message(ses(one, kind, detail)))
        assert await status(hired, one) == expected


async def test_an_absence_notice_changes_nothing(hired: House, amazon: Amazon) -> None:
    one = await sent(hired)
    away = {
        "bounceType": "Transient",
        "bounceSubType": "General",
        "bouncedRecipients": [{"emailAddress": "zoe@example.com"}],
    }
    await hired.http.post("/v1/feedback/ses", json=amazon.message(ses(one, "Bounce", away)))
    assert await status(hired, one) == "sent"


async def test_a_mail_is_found_by_what_the_relay_called_it(hired: House, amazon: Amazon) -> None:
    one = await sent(hired)
    kept = one["recipients"][0]["reply"].rpartition(" ")[2]  # "... kept as ID", as SES says "Ok ID"
    told = ses(one, "Bounce", BOUNCED, with_headers=False)
    told["mail"]["messageId"] = kept
    await hired.http.post("/v1/feedback/ses", json=amazon.message(told))
    assert await status(hired, one) == "bounced"


async def test_what_amazon_did_not_sign_for_our_topic_is_refused(hired: House, amazon: Amazon) -> None:
    one = await sent(hired)
    good = amazon.message(ses(one, "Bounce", BOUNCED))
    other = Amazon()
    refused = [
        {**good, "Message": good["Message"].replace("zoe@", "max@")},
        {**good, "Signature": "AAAA"},
        {**good, "Signature": "no base64!"},
        {**good, "Signature": "é"},
        {**good, "SignatureVersion": "3"},
        other.message(ses(one, "Bounce", BOUNCED)),
        amazon.message(ses(one, "Bounce", BOUNCED), TopicArn="arn:aws:sns:eu-west-1:666:evil"),
        {"Type": "Notification"},
        {},
    ]
    for message in refused:
        assert (await hired.http.post("/v1/feedback/ses", json=message)).status_code == 401, message
    assert await status(hired, one) == "sent"


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.test/a.pem",
        "https://evil.test/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.test/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://bucket.s3.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.txt",
        "",
    ],
)
async def test_a_certificate_from_elsewhere_is_not_even_fetched(amazon: Amazon, url: str) -> None:
    amazon.asked.clear()
    verifier = SnsVerifier([TOPIC], amazon.fetch)
    with pytest.raises(Unauthenticated):
        await verifier.verify(amazon.message({}, SigningCertURL=url))
    assert amazon.asked == []


async def test_a_subscription_of_our_topic_is_confirmed_with_amazon_alone(hired: House, amazon: Amazon) -> None:
    amazon.asked.clear()
    confirm = {"Type": "SubscriptionConfirmation", "Token": "t"}
    url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
    good = amazon.message("You have chosen...", **confirm, SubscribeURL=url)
    assert (await hired.http.post("/v1/feedback/ses", json=good)).status_code == 200
    assert url in amazon.asked
    evil = amazon.message("You have chosen...", **confirm, SubscribeURL="https://internal.test/")
    assert (await hired.http.post("/v1/feedback/ses", json=evil)).status_code == 401
    assert "https://internal.test/" not in amazon.asked


async def test_a_certificate_that_cannot_be_had_is_asked_for_again(amazon: Amazon) -> None:
    async def away(url: str) -> bytes:
        raise OSError("no route")

    with pytest.raises(Unavailable):
        await SnsVerifier([TOPIC], away).verify(amazon.message({}))


def mailgun(one: dict[str, Any], *, age: float = 0.0, key: str = MAILGUN_KEY, **event: Any) -> dict[str, Any]:
    timestamp, token = str(int(time.time() - age)), "t" * 50
    signature = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    told = {
        "recipient": "zoe@example.com",
        "message": {"headers": {"message-id": one["message_id"].strip("<>")}},
        **event,
    }
    return {"signature": {"timestamp": timestamp, "token": token, "signature": signature}, "event-data": told}


@pytest.mark.parametrize(
    ("event", "expected", "suppressed"),
    [
        ({"event": "delivered"}, "delivered", False),
        ({"event": "failed", "severity": "temporary", "delivery-status": {"code": 451}}, "sent", False),
        (
            {"event": "failed", "severity": "permanent", "delivery-status": {"code": 550, "enhanced-code": "5.1.1"}},
            "bounced",
            True,
        ),
        (
            {"event": "failed", "severity": "permanent", "delivery-status": {"code": 552, "enhanced-code": "5.2.2"}},
            "bounced",
            False,
        ),
        ({"event": "complained"}, "complained", True),
        ({"event": "unsubscribed"}, "sent", True),
        ({"event": "opened"}, "sent", False),
    ],
)
async def test_mailgun_is_understood(hired: House, event: dict[str, Any], expected: str, suppressed: bool) -> None:
    one = await sent(hired)
    answer = await hired.http.post("/v1/feedback/mailgun", json=mailgun(one, **event))
    assert answer.status_code == 200, answer.text
    assert await status(hired, one) == expected
    assert ((await hired.http.get("/v1/suppressions/zoe@example.com")).status_code == 200) is suppressed


async def test_what_mailgun_did_not_sign_of_late_is_refused(hired: House) -> None:
    one = await sent(hired)
    bodies: tuple[Any, ...] = (
        mailgun(one, event="complained", key="another"),
        mailgun(one, event="complained", age=90_000),
        {"event-data": {"event": "complained"}},
        [],
    )
    for body in bodies:
        assert (await hired.http.post("/v1/feedback/mailgun", json=body)).status_code == 401
    assert await status(hired, one) == "sent"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"RecordType": "Delivery", "Recipient": "zoe@example.com"}, "delivered"),
        ({"RecordType": "Bounce", "Type": "HardBounce", "Email": "zoe@example.com", "Details": "550"}, "bounced"),
        ({"RecordType": "Bounce", "Type": "AutoResponder", "Email": "zoe@example.com"}, "sent"),
        ({"RecordType": "Bounce", "Type": "Transient", "Email": "zoe@example.com"}, "sent"),
        ({"RecordType": "SpamComplaint", "Email": "zoe@example.com"}, "complained"),
    ],
)
async def test_postmark_is_understood(hired: House, body: dict[str, Any], expected: str) -> None:
    one = await sent(hired)
    raw = next(iter(hired.capture.messages)).raw.decode()
    assert f"X-PM-Metadata-notifier-id: {one['id']}" in raw
    told = {**body, "MessageID": "a-guid", "Metadata": {"notifier-id": one["id"]}}
    password = base64.b64encode(b"postmark:hunter2").decode()
    answer = await hired.http.post("/v1/feedback/postmark", json=told, headers={"authorization": f"Basic {password}"})
    assert answer.status_code == 200, answer.text
    assert await status(hired, one) == expected


async def test_postmark_needs_its_password(hired: House) -> None:
    for value in (b"", b"Basic", b"Basic ????", b"Basic \xe9", b"Basic " + base64.b64encode(b"postmark:wrong")):
        answer = await hired.http.post("/v1/feedback/postmark", json={}, headers={b"authorization": value})
        assert answer.status_code == 401


@pytest.mark.parametrize("provider", ["ses", "mailgun", "postmark", "sendgrid"])
async def test_a_provider_that_is_not_set_up_is_not_there(house: House, provider: str) -> None:
    assert (await house.http.post(f"/v1/feedback/{provider}", json={})).status_code == 404
