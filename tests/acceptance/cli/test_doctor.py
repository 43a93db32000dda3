"""`notifier doctor`: what it finds, and that it changes nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.capture import CaptureThread
from tests.support.command import Ended, run


@pytest.fixture
def relay() -> Iterator[CaptureThread]:
    with CaptureThread() as server:
        yield server


def doctor(folder: Path, relay: CaptureThread | None, *arguments: str, **settings: str) -> Ended:
    place = {"MAIL_SERVER": relay.host, "MAIL_PORT": str(relay.port)} if relay is not None else {}
    usual = {"NOTIFIER_API_KEY": "ntf_live_some-key", "MAIL_FROM": "shop@example.com", **place}
    return run("doctor", *arguments, cwd=folder, **{**usual, **settings})


def marks(told: Ended) -> dict[str, str]:
    """The mark of each step."""
    return {line.split()[1]: line[0] for line in told.out.splitlines() if line[0] != " "}


def test_all_is_well_and_a_test_mail_arrives(relay: CaptureThread, tmp_path: Path) -> None:
    told = doctor(tmp_path, relay, "--to", "me@x.test")
    assert told.code == 0, told
    assert marks(told) == {
        "database": "✓", "keys": "✓", "templates": "✓",
        "settings": "✓", "dns": "✓", "connect": "✓", "tls": "-", "auth": "-", "mail": "✓", "message": "✓",
        "records": "-",
    }  # fmt: skip
    assert relay.messages.wait(to="me@x.test", timeout=30).mail_from == "shop@example.com"
    assert "NOTIFIER_DKIM_KEYS" not in told.out
    assert list(tmp_path.iterdir()) == []  # no database was made


def test_a_relay_that_refuses_is_told_in_its_words(relay: CaptureThread, tmp_path: Path) -> None:
    relay.fail_next(stage="mail", code=553, text="5.7.1 Sender address rejected")
    told = doctor(tmp_path, relay)
    assert told.code == 1
    assert (marks(told)["mail"], "553 5.7.1 Sender address rejected" in told.out) == ("✗", True)


def test_all_that_is_missing_is_named(tmp_path: Path) -> None:
    told = doctor(tmp_path, None, NOTIFIER_DATABASE_URL="sqlite:///none/notifier.db", NOTIFIER_TEMPLATES_DIR="nowhere")
    assert (told.code, marks(told)) == (1, {"database": "✗", "templates": "✗", "relay": "✗", "records": "-"}), told
    for said in ("none is no folder", "NOTIFIER_TEMPLATES_DIR: nowhere is no folder", "MAIL_SERVER is not set"):
        assert said in told.out


def test_a_database_that_does_not_answer_is_named_without_its_password(relay: CaptureThread, tmp_path: Path) -> None:
    told = doctor(tmp_path, relay, NOTIFIER_DATABASE_URL="postgresql://u:secret@127.0.0.1:9/x")
    assert (told.code, marks(told)["database"]) == (1, "✗"), told
    assert "check NOTIFIER_DATABASE_URL" in told.out
    assert "secret" not in told.out + told.err


def test_without_a_key_or_a_relay_that_is_needed_all_may_be_well(tmp_path: Path) -> None:
    told = doctor(tmp_path, None, NOTIFIER_API_KEY="", SUPPRESS_SEND="1")
    assert (told.code, marks(told)) == (0, {"database": "✓", "keys": "!", "templates": "✓", "relay": "-"}), told
    assert "notifier keys create" in told.out


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (("--to", "nobody"), {}, "--to nobody: "),
        ((), {"NOTIFIER_RETRY_FIRST": "soon"}, "NOTIFIER_RETRY_FIRST: 'soon' is not a duration"),
    ],
)
def test_what_is_asked_wrongly_ends_with_2(
    tmp_path: Path, arguments: tuple[str, ...], settings: dict[str, str], said: str
) -> None:
    told = doctor(tmp_path, None, *arguments, **settings)
    assert (told.code, told.out) == (2, "")
    assert said in told.err
