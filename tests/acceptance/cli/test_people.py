"""`notifier send --csv`: a mail for each row, and going on where it was interrupted."""

import csv
import os
import pty
import re
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from notifier.client import Notifier
from notifier.testing.mailbox import Mailbox
from notifier.testing.server import NotifierServer
from tests.acceptance.cli.conftest import Command
from tests.support.command import PROGRAM, environment
from tests.support.lossy import lossy

ROWS = 1030
"""More than one request holds, which is a thousand."""


def people(folder: Path, count: int, domain: str) -> list[str]:
    """Writes people.csv, and says whom it names."""
    names = [f"p{n}@{domain}" for n in range(count)]
    lines = "".join(f"{name},Person {n},fr\n" for n, name in enumerate(names))
    (folder / "people.csv").write_text(f"to,name,locale\n{lines}", "utf-8")
    return names


def results(folder: Path, name: str = "people.results.csv") -> list[dict[str, str]]:
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def sent_to(client: Notifier, domain: str) -> list[str]:
    """The reader of each notification to this domain."""
    readers = (one.recipients[0].email for one in client.list())
    return [reader for reader in readers if reader.endswith(f"@{domain}")]


def test_each_row_is_a_mail_of_its_own(notifier: Command, notifier_mail: Mailbox, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(
        "email,name,reference,order.id,order.total\na@each.test,Ann,row-1,A-1,ab\nb@each.test,,row-2,B-2,cd\n", "utf-8"
    )
    sent = notifier("send", "order", "--csv", "people.csv", "--data", "name=you")
    assert sent.code == 0, sent
    assert sent.out == "2 accepted, 0 refused; people.results.csv\n"
    assert sent.err == ""  # a progress bar is for a terminal
    first = notifier_mail.wait_for(reference="row-1", timeout=30)
    second = notifier_mail.wait_for(reference="row-2", timeout=30)
    assert first.text == "Dear Ann, order A-1 of abab is on its way.\n"
    assert second.text == "Dear you, order B-2 of cdcd is on its way.\n"
    assert [(line["row"], line["to"], line["id"]) for line in results(tmp_path)] == [
        ("2", "a@each.test", first.notification),
        ("3", "b@each.test", second.notification),
    ]


def test_a_row_that_is_refused_is_named_and_tried_again(
    notifier: Command, notifier_client: Notifier, tmp_path: Path
) -> None:
    (tmp_path / "people.csv").write_text("to,name\na@again.test,A\nnobody,B\n", "utf-8")
    first = notifier("send", "hello", "--csv", "people.csv", "--results", "mine.csv", "--json")
    assert (first.code, first.out) == (1, '{"accepted": 1, "refused": 1, "before": 0, "results": "mine.csv"}\n')
    assert [line["error"][:27] for line in results(tmp_path, "mine.csv")] == ["", "to.email: An email address "]
    (tmp_path / "people.csv").write_text("to,name\na@again.test,A\nb@again.test,B\n", "utf-8")
    second = notifier("send", "hello", "--csv", "people.csv", "--results", "mine.csv")
    assert (second.code, second.out) == (0, "1 accepted, 0 refused, 1 were before; mine.csv\n")
    assert [line["to"] for line in results(tmp_path, "mine.csv")] == ["a@again.test", "b@again.test"]
    assert sorted(sent_to(notifier_client, "again.test")) == ["a@again.test", "b@again.test"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"to;name\na@broken.test;A\n", "there is no column `to`, but `to;name` (commas are between columns)"),
        (b"", "there is no column `to`"),
        (b"to,name\na@broken.test,A\na@broken.test,A,B\n", "line 3: more cells than there are columns"),
        (b"to,name\na@broken.test,A\na@broken.test,\xff\n", "--csv people.csv: this is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_sends_nothing(
    notifier: Command, notifier_client: Notifier, tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "people.csv").write_bytes(content)
    refused = notifier("send", "hello", "--csv", "people.csv")
    assert refused.code == 2
    assert said in refused.err
    assert sent_to(notifier_client, "broken.test") == []


def test_a_file_of_somebody_else_is_not_written_over(notifier: Command, tmp_path: Path) -> None:
    people(tmp_path, 1, "x.test")
    (tmp_path / "people.results.csv").write_text("my,own\n1,2\n")
    refused = notifier("send", "hello", "--csv", "people.csv")
    assert refused.code == 2
    assert "is no result file of ours" in refused.err
    assert (tmp_path / "people.results.csv").read_text() == "my,own\n1,2\n"


def test_a_terminal_sees_progress(settings: dict[str, str], tmp_path: Path) -> None:
    people(tmp_path, 3, "progress.test")
    near, far = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, "send", "hello", "--csv", "people.csv"],
        cwd=tmp_path, env=environment(**settings, TERM="xterm", COLUMNS="100"),
        stdout=subprocess.PIPE, stderr=far,
    )  # fmt: skip
    os.close(far)
    out, _ = process.communicate(timeout=60)
    drawn = b""
    try:
        while piece := os.read(near, 65536):
            drawn += piece
    except OSError:  # the terminal's other side is closed, and all of it was read
        pass
    os.close(near)
    assert (process.returncode, out) == (0, b"3 accepted, 0 refused; people.results.csv\n")
    assert re.search(rb"people\.csv.*100%", drawn, re.DOTALL), drawn


def test_a_run_that_was_killed_goes_on_and_nobody_gets_a_second_mail(
    notifier: Command, notifier_server: NotifierServer, notifier_client: Notifier, notifier_mail: Mailbox,
    settings: dict[str, str], tmp_path: Path,
) -> None:  # fmt: skip
    named = people(tmp_path, ROWS, "killed.test")
    started: list[subprocess.Popen[bytes]] = []

    def kill(request: int) -> bool:
        if request == 2:
            started[0].kill()
            started[0].wait()
        return request == 2

    with lossy(notifier_server.url, kill) as url:
        command = [PROGRAM, "send", "hello", "--csv", "people.csv", "--url", url]
        started.append(subprocess.Popen(command, cwd=tmp_path, env=environment(**settings)))
        assert started[0].wait(180) == -signal.SIGKILL
    assert len(results(tmp_path)) == 1000  # of the second request nothing is known, and the service took it
    assert len(sent_to(notifier_client, "killed.test")) == ROWS

    again = notifier("send", "hello", "--csv", "people.csv")
    assert (again.code, again.out) == (0, f"{ROWS - 1000} accepted, 0 refused, 1000 were before; people.results.csv\n")
    assert [line["to"] for line in results(tmp_path)] == named
    once_more = notifier("send", "hello", "--csv", "people.csv")
    assert once_more.out == f"0 accepted, 0 refused, {ROWS} were before; people.results.csv\n"

    while waiting := next((one for one in notifier_client.list() if not one.final), None):
        notifier_client.wait_until_final(waiting.id, timeout=180)
    mails = Counter(rcpt for mail in notifier_mail.messages for rcpt in mail.rcpt_tos)
    assert {name: mails[name] for name in named} == dict.fromkeys(named, 1)


def test_who_interrupts_a_run_is_told_how_far_it_got(
    notifier_server: NotifierServer, settings: dict[str, str], tmp_path: Path
) -> None:
    people(tmp_path, 2, "interrupted.test")
    started: list[subprocess.Popen[str]] = []

    def interrupt(_request: int) -> bool:
        started[0].send_signal(signal.SIGINT)
        return True

    with lossy(notifier_server.url, interrupt) as url:
        command = [PROGRAM, "send", "hello", "--csv", "people.csv", "--url", url]
        started.append(
            subprocess.Popen(command, cwd=tmp_path, env=environment(**settings), stderr=subprocess.PIPE, text=True)
        )
        _, said = started[0].communicate(timeout=60)
    assert (started[0].returncode, said) == (130, "stopped after 0 of 2 rows; the same command goes on from there\n")


def test_half_a_line_of_results_is_no_result(notifier: Command, notifier_client: Notifier, tmp_path: Path) -> None:
    people(tmp_path, 2, "half.test")
    notifier("send", "hello", "--csv", "people.csv")
    written = (tmp_path / "people.results.csv").read_text()
    (tmp_path / "people.results.csv").write_text(written[:-40])  # the disk was full, or the machine went away
    again = notifier("send", "hello", "--csv", "people.csv")
    assert (again.code, again.out) == (0, "1 accepted, 0 refused, 1 were before; people.results.csv\n")
    assert [line["to"] for line in results(tmp_path)] == ["p0@half.test", "p1@half.test"]
    assert len(sent_to(notifier_client, "half.test")) == 2
