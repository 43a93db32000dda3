"""The real service for a test: a process on a temporary SQLite file, wired to a mail server of the test's own."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final, Self

from notifier.client import AsyncNotifier, Notifier

KEY: Final = "ntf_live_for-tests-only"
"""The API key of the service under test, with every scope."""

_DEFAULTS: Final[Mapping[str, Any]] = {
    "NOTIFIER_RETRY_FIRST": "50ms",
    # Moving the clock must not end a lease that is held, nor age a connection.
    "NOTIFIER_LEASE": "3650d",
    "NOTIFIER_SHUTDOWN_GRACE": "0s",
    "NOTIFIER_LOG_LEVEL": "info",
    "MAIL_FROM": "notifier@notifier.test",
}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class ServerFailed(RuntimeError):
    """The service did not start, or ended. The text has the end of its log."""


class WarmProcess:
    """A process that has imported everything and waits to be told what to serve: starting one takes a second, which
    can pass while another test runs. `log` is the file that it logs to."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with log.open("wb") as stderr:
            # -P: the working directory of a test suite may hold something that is called notifier.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "notifier.testing.process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                encoding="utf-8",
            )

    def ask(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """Gives an order and returns its answer."""
        orders, answers = self._pipes()
        try:
            orders.write(json.dumps(order) + "\n")
            orders.flush()
            line = answers.readline()
        except BrokenPipeError:
            line = ""
        answer: Mapping[str, Any] = json.loads(line) if line else {"error": "the service ended"}
        if "error" in answer:
            raise ServerFailed(f"{answer['error']}\n{self.tail()}".rstrip())
        return answer

    def tail(self) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-20:])

    def end(self) -> None:
        """Ends it at once: what it had on disk goes away with the test."""
        self._process.kill()
        self._process.wait()
        for pipe in self._pipes():
            pipe.close()

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        orders, answers = self._process.stdin, self._process.stdout
        assert orders is not None and answers is not None, "both are pipes"  # noqa: S101, PT018
        return orders, answers


class NotifierServer:
    """A running service. `url` and `key` are what clients need; `log` is its log; `broken` names templates that
    could not be read, and why."""

    def __init__(self, process: WarmProcess, settings: Mapping[str, Any], templates: Path | None) -> None:
        self.key = KEY
        self.log = process.log
        self._process = process
        asked = {
            "settings": {**_DEFAULTS, "NOTIFIER_API_KEY": KEY, **settings},
            "templates": templates and str(templates),
        }
        answer = process.ask(asked)
        self.url: str = answer["url"]
        self.broken: Mapping[str, list[str]] = answer["broken"]
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The time on the service's clock."""
        return datetime.now(UTC) + self._ahead

    def advance(self, by: str | float | timedelta) -> datetime:
        """Moves the service's clock (``"90s"``, ``"2h"``, ``"1h30m"``, seconds, a timedelta), and says what it shows
        then. What became due is sent right away, what expired ends. The real clock goes on meanwhile."""
        step = by if isinstance(by, timedelta) else _duration(by)
        if step < timedelta():
            raise ValueError("a clock of a queue only goes forward")
        answer = self._process.ask({"advance": step.total_seconds()})
        self._ahead += step
        return datetime.fromisoformat(answer["now"])

    def client(self) -> Notifier:
        """A client of this service, to be closed."""
        return Notifier(self.url, self.key)

    def async_client(self) -> AsyncNotifier:
        """The same for asyncio."""
        return AsyncNotifier(self.url, self.key)

    def stop(self) -> None:
        self._process.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _duration(by: str | float) -> timedelta:
    if not isinstance(by, str):
        return timedelta(seconds=by)
    parts = _DURATION.findall(by)
    if not parts or "".join(amount + unit for amount, unit in parts) != by.replace(" ", ""):
        raise ValueError(f"{by!r} is not a duration; write 90s, 5m, 2h, 1h30m or 3d")
    return sum((timedelta(**{_UNITS[unit]: float(amount)}) for amount, unit in parts), timedelta())
