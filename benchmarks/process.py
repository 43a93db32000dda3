"""Processes under measurement: started in a group of their own, read through /proc, stopped by SIGTERM."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TICK = 1_000_000 / os.sysconf("SC_CLK_TCK")
"""Microseconds of a clock tick."""


class Process:
    """One server or worker with all its children. `cpu()` is in microseconds, memory in MiB."""

    def __init__(
        self, name: str, command: Sequence[str | Path], log: Path, *, env: Mapping[str, str] | None = None,
        cwd: Path | None = None, user: str | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.log = log
        self.peak = 0.0
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [str(part) for part in command],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                user=user,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def check(self) -> bool:
        """True while it runs. Raises if it has ended."""
        if self._popen.poll() is not None:
            tail = self.log.read_bytes()[-2000:].decode("utf-8", "replace")
            raise RuntimeError(f"{self.name} ended with {self._popen.returncode}:\n{tail}")
        return True

    def _tree(self) -> list[int]:
        pids, seen = [self.pid], []
        while pids:
            pid = pids.pop()
            seen.append(pid)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    pids.extend(int(child) for child in children.read_text().split())
        return seen

    def cpu(self) -> float:
        """Microseconds of user and system time, children that have ended among them."""
        total = 0
        for pid in self._tree():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += sum(int(field) for field in fields[11 : 15 if pid == self.pid else 13])
        return total * TICK

    def peak_memory(self) -> float:
        """MiB: the peaks of all processes, added up. What they share is counted with each."""
        total = 0
        for pid in self._tree():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        total += int(line.split()[1])
        self.peak = max(self.peak, total / 1024)
        return self.peak

    def wait(self) -> None:
        """Until it has ended."""
        self._popen.wait()

    def stop(self, within: float = 20.0) -> None:
        """SIGTERM to it; SIGKILL to its group for what is left after `within` seconds."""
        if self._popen.poll() is None:
            self.peak_memory()
            self._popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(within)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()


def wait_until(condition: Callable[[], object], what: str, within: float = 30.0, pause: float = 0.02) -> None:
    """Until `condition` holds. Raises TimeoutError."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(pause)
    raise TimeoutError(f"{what}: not within {within:g} s")


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False
