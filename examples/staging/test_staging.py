"""Nothing leaves for a real address, whatever a service under trial asks for. `notifier_mail` is the relay."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from notifier.client import Invalid, Notifier
from notifier.testing.mailbox import Mailbox
from notifier.testing.server import NotifierServer

CUSTOMER = "zoe@customer.example"
AUDIT = "audit@customer.example"
RESET = {"reset_url": "https://app.example.com/reset/4f2a"}


def settings(name: str) -> Mapping[str, Any]:
    lines = (Path(__file__).parent / f"{name}.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture
def notifier_settings(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    return settings(request.param)


def reached(relay: Mailbox) -> set[str]:
    """Every address that the relay was ever asked to take mail for."""
    return {rcpt for transaction in relay.ledger for rcpt in (*transaction.accepted, *transaction.refused)}


@pytest.mark.parametrize("notifier_settings", ["redirect"], indirect=True)
def test_redirected_mail_reaches_one_address_alone(notifier_mail: Mailbox, notifier_client: Notifier) -> None:
    sent = notifier_client.send(
        "password-reset", to=[CUSTOMER, "tom@customer.example"], cc="cleo@customer.example", bcc=AUDIT, data=RESET
    )
    mail = notifier_mail.wait_for(notification=sent.id, timeout=20)
    assert notifier_client.wait_until_final(sent.id).status == "sent"
    assert reached(notifier_mail) == {"staging@example.com"}
    assert mail.link("password") == RESET["reset_url"]
    assert CUSTOMER in (mail.header("X-Notifier-Redirected-From") or "")


@pytest.mark.parametrize("notifier_settings", ["team"], indirect=True)
def test_a_team_key_writes_to_the_team_alone(
    notifier_mail: Mailbox, notifier_client: Notifier, notifier_server: NotifierServer
) -> None:
    key = notifier_client.create_key("staging", mode="team", scopes=["send", "read"])
    with Notifier(notifier_server.url, key.secret or "") as colleague:
        with pytest.raises(Invalid) as refused:
            colleague.send("password-reset", to=["ann@example.com", CUSTOMER], data=RESET)
        assert [(fault.field, fault.code) for fault in refused.value.errors] == [("to[1]", "not_on_team")]
        for one in ("ann@example.com", "tester@partner.example"):
            sent = colleague.send("password-reset", to=one, data=RESET)
            assert colleague.wait_until_final(sent.id).status == "sent"
    assert reached(notifier_mail) == {"ann@example.com", "tester@partner.example"}


@pytest.mark.parametrize("notifier_settings", ["suppress"], indirect=True)
def test_suppressed_mail_is_captured_and_the_relay_never_asked(
    notifier_mail: Mailbox, notifier_client: Notifier, notifier_server: NotifierServer
) -> None:
    sent = notifier_client.send("password-reset", to=CUSTOMER, data=RESET)
    assert notifier_client.wait_until_final(sent.id).status == "sent"
    url = f"{notifier_server.url}/inbox/api/messages/wait?notification={sent.id}&timeout=20"
    with urlopen(Request(url, headers={"authorization": f"Bearer {notifier_server.key}"})) as answer:
        assert json.load(answer)["to"] == [CUSTOMER]
    assert notifier_mail.total_connections == 0
