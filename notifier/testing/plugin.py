"""The fixtures. pytest loads this module wherever notifier is installed, so it imports nothing until it is asked."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from notifier.client import Notifier
    from notifier.client.exchange import Steps
    from notifier.testing.mailbox import Mailbox
    from notifier.testing.outbox import Outbox
    from notifier.testing.server import NotifierServer, WarmProcess

T = TypeVar("T")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("notifier_timeout", "seconds that a wait of notifier_mail takes where it names none", default="10")


@pytest.fixture
def notifier_mail(tmp_path: Path, pytestconfig: pytest.Config) -> "Iterator[Mailbox]":
    """A mail server on a free port, for this test alone. Point anything that sends SMTP at its `host` and `port`."""
    from notifier.testing.mailbox import Mailbox

    patience = float(pytestconfig.getini("notifier_timeout"))
    with Mailbox(tmp_path / "mail", patience=patience) as mailbox:
        yield mailbox


@pytest.fixture(scope="session")
def notifier_templates(pytestconfig: pytest.Config) -> Path | None:
    """The templates folder of `notifier_server`: ``templates`` in the root of the tested project, or where there is
    none the templates that come with notifier. Override it to name another."""
    own = pytestconfig.rootpath / "templates"
    return own if own.is_dir() else None


@pytest.fixture
def notifier_settings() -> dict[str, Any]:
    """Settings of `notifier_server` by environment name, for tests to override: {"NOTIFIER_RETRY_FIRST": "1s"}."""
    return {}


class _Spares:
    """One process that is warm already: the next test's, while this one runs. `most` tests want one."""

    def __init__(self, logs: Path, most: int) -> None:
        self._logs = logs
        self._most = most
        self._number = 0
        self._spare: WarmProcess | None = None

    def take(self) -> "WarmProcess":
        taken = self._spare or self._fresh()
        self._spare = self._fresh() if self._number < self._most else None
        return taken

    def end(self) -> None:
        if self._spare is not None:
            self._spare.end()

    def _fresh(self) -> "WarmProcess":
        from notifier.testing.server import WarmProcess

        self._number += 1
        return WarmProcess(self._logs / f"server-{self._number}.log")


@pytest.fixture(scope="session")
def _notifier_processes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Spares]:
    most = sum("notifier_server" in getattr(item, "fixturenames", ()) for item in request.session.items)
    spares = _Spares(tmp_path_factory.mktemp("notifier"), most)
    try:
        yield spares
    finally:
        spares.end()


@pytest.fixture
def notifier_server(
    _notifier_processes: _Spares,
    notifier_mail: "Mailbox",
    notifier_templates: Path | None,
    notifier_settings: dict[str, Any],
    tmp_path: Path,
) -> "Iterator[NotifierServer]":
    """The real service as a process, on a database of its own, sending to `notifier_mail`. The first retry comes after
    50 ms; ``advance("2h")`` moves its clock."""
    from notifier.testing.server import NotifierServer

    settings = {
        "NOTIFIER_DATABASE_URL": f"sqlite:///{tmp_path / 'notifier.db'}",
        "MAIL_SERVER": notifier_mail.host,
        "MAIL_PORT": notifier_mail.port,
        **notifier_settings,
    }
    process = _notifier_processes.take()
    try:
        yield NotifierServer(process, settings, notifier_templates)
    finally:
        process.end()


@pytest.fixture
def notifier_client(notifier_server: "NotifierServer") -> "Iterator[Notifier]":
    """A client of `notifier_server`; ``notifier_server.async_client()`` makes one for asyncio."""
    with notifier_server.client() as client:
        yield client


@pytest.fixture
def notifier_outbox(notifier_templates: Path | None, monkeypatch: pytest.MonkeyPatch) -> "Outbox":
    """Everything that `Notifier` and `AsyncNotifier` send during this test, wherever they were made and whatever
    service they are meant for: judged and rendered as the service would, and laid here. No sockets."""
    from notifier.app.templates import shipped_templates
    from notifier.client import AsyncNotifier, Notifier
    from notifier.testing.outbox import Outbox

    outbox = Outbox(notifier_templates or shipped_templates())

    async def run(_client: AsyncNotifier, steps: "Steps[T]") -> "T":
        return outbox.run(steps)

    monkeypatch.setattr(Notifier, "_run", lambda _client, steps: outbox.run(steps))
    monkeypatch.setattr(AsyncNotifier, "_run", run)
    return outbox
