"""The same sign-up, sent in both ways, on good days and on bad ones."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import signup_after
import signup_before
from fastapi.testclient import TestClient
from fastapi_mail import ConnectionConfig
from pydantic import SecretStr

from notifier.testing.mailbox import Mailbox
from notifier.testing.server import NotifierServer

NEW = {"email": "zoe@example.com", "name": "Zoë"}


@pytest.fixture
def before(notifier_mail: Mailbox) -> Iterator[TestClient]:
    config = ConnectionConfig(
        MAIL_SERVER=notifier_mail.host,
        MAIL_PORT=notifier_mail.port,
        MAIL_FROM="hello@example.com",
        MAIL_STARTTLS=False,
        MAIL_SSL_TLS=False,
        USE_CREDENTIALS=False,
        MAIL_USERNAME="",
        MAIL_PASSWORD=SecretStr(""),
        TEMPLATE_FOLDER=Path(__file__).parent / "before",
    )
    with TestClient(signup_before.create_app(config), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def after(notifier_server: NotifierServer) -> Iterator[TestClient]:
    with TestClient(signup_after.create_app(notifier_server.async_client())) as client:
        yield client


def sign_up(app: TestClient) -> int:
    return app.post("/signups", json=NEW).status_code


def test_both_ways_send_the_same_words(before: TestClient, after: TestClient, notifier_mail: Mailbox) -> None:
    assert sign_up(before) == 201
    old = notifier_mail.wait_for(to="zoe@example.com", timeout=20)
    assert sign_up(after) == 201
    new = notifier_mail.wait_for(to="zoe@example.com", after=old.id, timeout=20)
    assert old.subject == new.subject == "Welcome, Zoë"
    assert old.link("Confirm") == new.link("Confirm") == "https://app.example.com/confirm/zoe%40example.com"
    assert "Welcome, Zoë" in (new.text or ""), "notifier wrote the text part that the old mail did not have"


def test_before_a_relay_that_is_busy_for_a_second_loses_the_mail(before: TestClient, notifier_mail: Mailbox) -> None:
    notifier_mail.fail_next(code=451)
    assert sign_up(before) == 201
    notifier_mail.assert_none()


def test_after_it_arrives_all_the_same(after: TestClient, notifier_mail: Mailbox) -> None:
    notifier_mail.fail_next(code=451)
    assert sign_up(after) == 201
    assert notifier_mail.wait_for(to="zoe@example.com", timeout=20).attempts == 2


def test_after_a_reader_who_signs_up_twice_gets_one_mail(after: TestClient, notifier_mail: Mailbox) -> None:
    assert sign_up(after) == 201
    first = notifier_mail.wait_for(to="zoe@example.com", timeout=20)
    assert sign_up(after) == 201
    notifier_mail.assert_none(after=first.id, within=0.5)
