"""The relay that everybody sends to: Postfix's smtp-sink, which counts and forgets."""

import contextlib
import fcntl
import os
import re
import socket
import subprocess
import time
from pathlib import Path

_COUNT = re.compile(rb"mesg=(\d+)")
_F_SETPIPE_SZ = 1031


class Sink:
    """`count()` is the number of messages taken so far (their final dots)."""

    def __init__(self, postfix: Path, port: int) -> None:
        self.port = port
        self.output, write = os.pipe()
        fcntl.fcntl(self.output, _F_SETPIPE_SZ, 1 << 20)
        os.set_blocking(self.output, False)
        self._count = 0
        self._tail = b""
        self._popen = subprocess.Popen(
            [postfix / "usr/sbin/smtp-sink", "-u", "root", "-c", "-m", "20000", f"127.0.0.1:{port}", "4096"],
            stdout=write,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "LD_LIBRARY_PATH": str(postfix / "usr/lib/postfix")},
        )
        os.close(write)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def count(self) -> int:
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self.output, 1 << 16):
                if found := _COUNT.findall(self._tail + piece):
                    self._count = int(found[-1])
                self._tail = piece[-40:]
        return self._count

    def reaches(self, wanted: int, within: float) -> list[tuple[float, int]]:
        """Samples of (monotonic time, count) until `wanted` or `within` seconds are over."""
        samples = []
        deadline = time.monotonic() + within
        while True:
            now, count = time.monotonic(), self.count()
            samples.append((now, count))
            if count >= wanted or now > deadline:
                return samples
            time.sleep(0.01)

    def close(self) -> None:
        self._popen.terminate()
        self._popen.wait()
        os.close(self.output)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
