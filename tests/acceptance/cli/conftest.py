"""Commands against the real service, which sends to a mail server of the test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from notifier.testing.mailbox import Mailbox
from notifier.testing.server import NotifierServer, WarmProcess
from tests.support.command import Ended, run

Command = Callable[..., Ended]

TEMPLATES = {
    "order/subject.txt": "Order {{ order.id }}\n",
    "order/body.txt": "Dear {{ name }}, order {{ order.id }} of {{ order.total * 2 }} is on its way.\n",
    "hello/subject.txt": "Hello {{ name }}\n",
    "hello/body.txt": "Hello {{ name }}\n",
}
ORDER = ("--data", "name=Zoë", "--data", "order.id=A-1", "--data", "order.total:=21")


@pytest.fixture(scope="module")
def notifier_mail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    """One for all tests of a module, which therefore write to readers of their own."""
    with Mailbox(tmp_path_factory.mktemp("mail"), keep=5000) as mailbox:
        yield mailbox


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service's files are."""
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def notifier_server(notifier_mail: Mailbox, home: Path) -> Iterator[NotifierServer]:
    """As the plugin's, one for all tests of a module."""
    for path, text in TEMPLATES.items():
        (home / "templates" / path).parent.mkdir(parents=True, exist_ok=True)
        (home / "templates" / path).write_text(text, "utf-8")
    settings = {
        "NOTIFIER_DATABASE_URL": f"sqlite:///{home / 'notifier.db'}",
        "MAIL_SERVER": notifier_mail.host,
        "MAIL_PORT": notifier_mail.port,
    }
    process = WarmProcess(home / "log")
    try:
        yield NotifierServer(process, settings, home / "templates")
    finally:
        process.end()


@pytest.fixture
def settings(notifier_server: NotifierServer) -> dict[str, str]:
    """What a shell exports to reach the service."""
    return {"NOTIFIER_URL": notifier_server.url, "NOTIFIER_API_KEY": notifier_server.key}


@pytest.fixture
def notifier(tmp_path: Path, settings: dict[str, str]) -> Command:
    """``notifier("send", ..., given="standard input")``: the command, in a folder of the test's own."""

    def command(*arguments: str, **more: str) -> Ended:
        return run(*arguments, cwd=tmp_path, **{**settings, **more})

    return command
