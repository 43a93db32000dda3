"""docs/cli.md: its commands print what it shows, and end as its table of exit codes says."""

import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from notifier.app.templates import shipped_templates
from notifier.client import Notifier
from notifier.testing.mailbox import Mailbox
from notifier.testing.server import NotifierServer, WarmProcess
from tests.support.command import PROGRAM, environment

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text("utf-8")
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| (\d+) \| [^|]+ \| (.*) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def notifier_server(notifier_mail: Mailbox, home: Path) -> Iterator[NotifierServer]:
    """With the templates that come with notifier, as a newcomer has it."""
    relay = {"MAIL_SERVER": notifier_mail.host, "MAIL_PORT": notifier_mail.port}
    process = WarmProcess(home / "log")
    try:
        database = f"sqlite:///{home / 'notifier.db'}"
        yield NotifierServer(process, {"NOTIFIER_DATABASE_URL": database, **relay}, shipped_templates())
    finally:
        process.end()


def shell(command: str, folder: Path, **names: str) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(PROGRAM).parent}:/usr/local/bin:/usr/bin:/bin"
    return subprocess.run(
        ["bash", "-uo", "pipefail", "-c", command], cwd=folder, env=environment(**{"PATH": path, **names}),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8", timeout=120,
    )  # fmt: skip


def alike(line: str) -> str:
    """A line without what is another one each time: ids, times, ports."""
    line = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d\d:\d\d:\d\d|(?<=kept as )\w+|(?<=127.0.0.1:)\d+", "*", line)
    return line.strip()


def test_the_commands_of_the_page_print_what_it_shows(settings: dict[str, str], tmp_path: Path) -> None:
    blocks = [(found[1], found[2]) for found in BLOCK.finditer(PAGE)]
    shown, last = 0, ""
    for kind, text in blocks[1:]:  # the first says what to export
        if kind == "sh":
            done = shell(f"set -e\n{text}", tmp_path, **settings)
            assert done.returncode == 0, done.stderr
            last = done.stdout
        else:
            assert [alike(line) for line in last.splitlines()] == [alike(line) for line in text.splitlines()]
            shown += 1
    assert shown == 2


def test_commands_end_as_the_table_says(
    settings: dict[str, str], notifier_client: Notifier, notifier_mail: Mailbox, notifier_server: NotifierServer,
    tmp_path: Path,
) -> None:  # fmt: skip
    notifier_mail.fail(rcpt="gone@x.test", code=550)
    data = {"name": "A", "start_url": "https://app.test"}
    names = {
        "SENT": notifier_client.send("welcome", to="a@x.test", data=data).id,
        "FAILED": notifier_client.send("welcome", to="gone@x.test", data=data).id,
        "SCHEDULED": notifier_client.send(
            "welcome", to="a@x.test", data=data, send_at=notifier_server.now() + timedelta(hours=1)
        ).id,
    }
    notifier_client.wait_until_final(names["FAILED"])
    examples = [(int(code), command) for code, cell in ROW.findall(PAGE) for command in re.findall("`([^`]+)`", cell)]
    assert {code for code, _ in examples} == {0, 1, 2, 3}
    for code, command in examples:
        done = shell(command, tmp_path, **settings, **names)
        assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
