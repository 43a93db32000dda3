"""`notifier send` and `notifier status`."""

import json
import signal
import socket
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from notifier.client import Notifier
from notifier.testing.mailbox import Mailbox
from notifier.testing.server import NotifierServer
from tests.acceptance.cli.conftest import ORDER, Command
from tests.support.command import PROGRAM, environment

SECONDS = 30.0


def words(text: str) -> list[str]:
    """The second column of a timeline's lines, which are those that begin with a blank: what happened."""
    return [line.split()[2] for line in text.splitlines() if line.startswith("  ")]


def test_data_comes_from_pairs(notifier: Command, notifier_mail: Mailbox) -> None:
    sent = notifier("send", "order", "--to", "Zoë <zoe@x.test>", *ORDER, "--reference", "r-1", "--locale", "fr-CA")
    assert sent.code == 0, sent
    id_, status = sent.out.split()
    assert status == "queued"
    mail = notifier_mail.wait_for(notification=id_, reference="r-1", timeout=SECONDS)
    assert (mail.subject, mail.text) == ("Order A-1", "Dear Zoë, order A-1 of 42 is on its way.\n")


def test_data_comes_from_a_file_and_pairs_are_laid_over_it(
    notifier: Command, notifier_mail: Mailbox, tmp_path: Path
) -> None:
    data = {"name": "Nobody", "order": {"id": "A-2", "total": 1}}
    (tmp_path / "data.json").write_text(json.dumps(data))
    sent = notifier("send", "order", "--to", "a@x.test", "--data-file", "data.json", "--data", "name=Zoë", "--json")
    mail = notifier_mail.wait_for(notification=json.loads(sent.out)["id"], timeout=SECONDS)
    assert mail.text == "Dear Zoë, order A-2 of 2 is on its way.\n"


def test_data_comes_from_standard_input(notifier: Command, notifier_mail: Mailbox) -> None:
    sent = notifier("send", "hello", "--to", "a@x.test", "--data-file", "-", given='{"name": "Bo"}')
    assert notifier_mail.wait_for(notification=sent.out.split()[0], timeout=SECONDS).subject == "Hello Bo"


def test_one_mail_names_all_its_readers(notifier: Command, notifier_mail: Mailbox) -> None:
    sent = notifier("send", "hello", "--to", "a@x.test", "--to", "b@x.test", "--data", "name=both")
    assert notifier_mail.wait_for(notification=sent.out.split()[0], timeout=SECONDS).to == ("a@x.test", "b@x.test")


def test_the_same_key_sends_once(notifier: Command) -> None:
    twice = [
        notifier("send", "hello", "--to", "a@x.test", "--data", "name=A", "--idempotency-key", "mine", "--json")
        for _ in range(2)
    ]
    assert len({json.loads(sent.out)["id"] for sent in twice}) == 1


def test_watch_draws_the_timeline_to_its_end(notifier: Command, notifier_mail: Mailbox) -> None:
    notifier_mail.fail_next(rcpt="watch@x.test", code=451, text="4.7.1 Come back later", times=2)
    watched = notifier("send", "hello", "--to", "watch@x.test", "--data", "name=A", "--watch")
    assert watched.code == 0, watched
    first, *lines, last = watched.out.splitlines()
    assert first.endswith("hello v1  to watch@x.test")
    assert words("\n".join(lines)) == ["queued", *["attempted", "deferred"] * 2, "attempted", "sent"]
    assert "451 4.7.1 Come back later; again " in lines[2]
    assert last == "sent  after 3 attempts"


def test_watch_draws_while_it_happens(
    notifier_mail: Mailbox, notifier_server: NotifierServer, settings: dict[str, str], tmp_path: Path
) -> None:
    notifier_mail.fail_next(rcpt="live@x.test", code=451, text="4.7.1 Come back in 20 minutes")
    command = [PROGRAM, "send", "hello", "--to", "live@x.test", "--data", "name=A", "--watch"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(**settings), stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        drawn = next(line for line in process.stdout if "deferred" in line)
        assert process.poll() is None
        assert "again" in drawn
        notifier_server.advance("21m")
        assert words(process.stdout.read()) == ["attempted", "sent"]
    assert process.returncode == 0


def test_watch_stops_waiting_with_an_exit_code_of_its_own(notifier: Command, notifier_server: NotifierServer) -> None:
    at = (notifier_server.now() + timedelta(hours=1)).isoformat()
    waited = notifier("send", "hello", "--to", "a@x.test", "--data", "name=A", "--send-at", at,
                      "--watch", "--timeout", "0")  # fmt: skip
    assert waited.code == 3, waited
    assert words(waited.out) == ["scheduled"]
    assert "is scheduled after 0 s" in waited.err


def test_what_ends_badly_ends_with_1(notifier: Command, notifier_mail: Mailbox) -> None:
    notifier_mail.fail(rcpt="gone@x.test", code=550, text="5.1.1 No such user")
    watched = notifier("send", "hello", "--to", "gone@x.test", "--data", "name=A", "--watch", "--json")
    told = json.loads(watched.out)
    assert (watched.code, told["status"], told["final"]) == (1, "failed", True)
    shown = notifier("status", told["id"])
    assert (shown.code, words(shown.out)) == (1, ["queued", "attempted", "failed"])
    assert "550 5.1.1 No such user" in shown.out


def test_status_tells_what_happened(notifier: Command, notifier_client: Notifier) -> None:
    sent = notifier_client.send("hello", to="a@x.test", data={"name": "A"})
    notifier_client.wait_until_final(sent.id, timeout=SECONDS)
    shown = notifier("status", sent.id)
    assert (shown.code, words(shown.out)) == (0, ["queued", "attempted", "sent"])
    told = notifier("status", sent.id, "--json")
    assert (told.code, json.loads(told.out)["status"]) == (0, "sent")
    watched = notifier("status", sent.id, "--watch")
    assert (watched.code, words(watched.out)) == (0, ["queued", "attempted", "sent"])
    unknown = notifier("status", "nobody-knows")
    assert (unknown.code, unknown.out) == (1, "")
    assert unknown.err == "notifier: there is no notification 'nobody-knows'\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "a@x.test"), "data.name: 'name' is "),
        (("--to", "nobody", "--data", "name=A"), "to[0]: An email address must have an @-sign"),
        (("--to", "a@x.test", "--data", "name"), "--data name: write NAME=TEXT, or NAME:=JSON"),
        (("--to", "a@x.test", "--data", "name:={"), "--data name:={ is not JSON"),
        (("--to", "a@x.test", "--data", "a=1", "--data", "a.b=2"), "a.b: a is a value already"),
        (("--to", "a@x.test", "--data-file", "none.json"), "--data-file none.json: No such file"),
        (("--to", "a@x.test", "--data-file", "-"), "--data-file - is not JSON"),
        (("--data", "name=A"), "say whom to send to: --to ADDRESS, or --csv FILE"),
        (("--csv", "people.csv", "--watch"), "are for one notification, not --csv"),
        (("--csv", "people.csv"), "--csv people.csv: No such file"),
        (("--to", "a@x.test", "--data", "name=A", "--send-at", "soon"), "send_at: must be an RFC 3339 time"),
        (("--to", "a@x.test", "--data", "name=A", "--url", "x.test"), "--url x.test: write http://HOST:PORT"),
    ],
)  # fmt: skip
def test_what_is_asked_wrongly_ends_with_2_and_says_what(
    notifier: Command, arguments: tuple[str, ...], said: str
) -> None:
    refused = notifier("send", "hello", *arguments)
    assert (refused.code, refused.out) == (2, ""), refused
    assert said in refused.err
    assert len(refused.err.splitlines()) == 1


def test_without_a_key_nothing_is_asked(notifier: Command) -> None:
    assert "there is no API key: give --key" in notifier("status", "some-id", NOTIFIER_API_KEY="").err


def test_the_key_may_be_in_a_file(notifier: Command, settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "key").write_text(settings["NOTIFIER_API_KEY"] + "\n")
    listed = notifier("keys", "list", NOTIFIER_API_KEY="", NOTIFIER_API_KEY_FILE=str(tmp_path / "key"))
    assert listed.code == 0, listed


def test_a_service_that_is_away_is_one_sentence(notifier: Command) -> None:
    away = notifier("status", "some-id", "--url", "http://127.0.0.1:9")
    assert (away.code, away.out) == (1, "")
    assert "the service cannot be reached" in away.err
    assert len(away.err.splitlines()) == 1


def test_an_interrupted_command_ends_with_130_and_without_a_trace(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = "http://{}:{}".format(*silent.getsockname())
        process = subprocess.Popen(
            [PROGRAM, "status", "some-id", "--url", url, "--key", "some-key"],
            cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        asking, _ = silent.accept()
        with asking:
            asking.recv(1)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "")
