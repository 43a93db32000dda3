"""A PostgreSQL server of the test's own, that may be stopped in the middle of everything."""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

INSTALL = "no initdb: install a PostgreSQL server (Debian: `apt-get install postgresql`)"


def binaries() -> Path | None:
    """The folder of the newest server's programs. Debian keeps them out of the PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    found = str(installed[-1]) if installed else shutil.which("initdb")
    return Path(found).parent if found else None


class Cluster:
    """A server on a free port, in a folder that goes with it. `durable` false leaves out fsync: what a stopped server
    has written outlives it all the same, and only a machine that loses its power would notice.

    PostgreSQL refuses to run as root; there it runs as the user `postgres`.
    """

    def __init__(self, *, durable: bool = False, **settings: str) -> None:
        self._bin = binaries()
        self._user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        self._home = Path(tempfile.mkdtemp(prefix="notifier-postgres-"))
        if self._user:
            os.chown(self._home, self._user.pw_uid, self._user.pw_gid)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        given = {"listen_addresses": "127.0.0.1", "fsync": "on" if durable else "off", **settings}
        self._options = " ".join([f"-p {self.port} -k ''", *(f"-c {name}={value}" for name, value in given.items())])

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    async def __aenter__(self) -> "Cluster":
        await self._run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        shutil.rmtree(self._home)

    async def start(self) -> None:
        """Returns when it takes connections."""
        await self._control("start")

    async def stop(self) -> None:
        """At once: connections break, nothing is tidied up, and the next start recovers from the log."""
        await self._control("stop")

    async def restart(self) -> None:
        await self._control("restart")

    def pids(self) -> list[int]:
        """Its processes (Linux)."""
        first = int((self._home / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]

    async def _control(self, what: str) -> None:
        mode = () if what == "start" else ("-m", "immediate")
        await self._run("pg_ctl", "-D", "data", "-l", "log", "-o", self._options, *mode, "-w", "-t", "30", what)

    async def _run(self, program: str, *arguments: str) -> None:
        assert self._bin is not None, INSTALL
        # In a thread, because uvloop starts no process as another user.
        identity: dict[str, Any] = {}
        if self._user:
            identity = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        run: Callable[[], subprocess.CompletedProcess[Any]] = partial(
            subprocess.run,
            [self._bin / program, *arguments],
            cwd=self._home,
            env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"], "TZ": "UTC"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            **identity,
        )
        done = await asyncio.to_thread(run)
        log = self._home / "log"
        assert done.returncode == 0, (
            f"{program} ended with {done.returncode}: {log.read_text()[-2000:] if log.exists() else ''}"
        )
