"""The machine for one run: a folder, the sink, a PostgreSQL and a Redis of our own; all of it is gone at the end."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.install import POSTFIX, PYTHON, ROOT
from benchmarks.process import Process, listens, wait_until
from benchmarks.sink import Sink, free_port


class Stage:
    """Starts what contenders ask for. `fresh()` empties the databases and gives a new sink."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="notifier-bench-"))
        self.folder.chmod(0o755)
        self.log = self.folder / "log"
        self.sink: Sink
        self.databases = 0
        self.postgres_port = self.redis_port = 0
        self._servers: list[Process] = []
        self._running: list[Process] = []
        self._sink: Sink | None = None

    # ---- servers

    def start_postgres(self) -> bool:
        """With its own defaults: fsync and synchronous_commit are on. False where PostgreSQL is not installed."""
        binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        initdb = shutil.which("initdb") or (binaries and str(binaries[-1] / "initdb"))
        if not initdb:
            return False
        home, port, user = self.folder / "postgres", free_port(), "postgres" if os.getuid() == 0 else None
        home.mkdir()
        if user:
            shutil.chown(home, user)
        subprocess.run(
            [initdb, "-D", home, "-A", "trust", "-U", "postgres"], check=True, capture_output=True, user=user
        )
        command: list[str | Path] = [
            Path(initdb).parent / "postgres",
            "-D",
            home,
            "-p",
            str(port),
            "-k",
            home,
            "-c",
            "log_min_messages=fatal",
        ]
        self._servers.append(Process("postgres", command, self.log, user=user, cwd=home))
        self.postgres_port = port
        wait_until(lambda: listens(port), "PostgreSQL")
        return True

    def start_redis(self) -> bool:
        """With its own defaults, which write to the disk now and then. False where it is not installed."""
        if not shutil.which("redis-server"):
            return False
        self.redis_port = port = free_port()
        command: list[str | Path] = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", self.folder]
        self._servers.append(Process("redis", command, self.log))
        wait_until(lambda: listens(port), "Redis")
        return True

    def server(self, name: str) -> Process | None:
        return next((one for one in self._servers if one.name == name), None)

    def postgres(self, sql: str, database: str = "postgres") -> None:
        command = ["psql", "-q", "-h", "127.0.0.1", "-p", str(self.postgres_port), "-U", "postgres", "-d", database]
        subprocess.run([*command, "-c", sql], check=True, capture_output=True)

    def new_database(self) -> str:
        self.databases += 1
        name = f"run{self.databases}"
        self.postgres(f"CREATE DATABASE {name}")
        return name

    # ---- one measurement

    def fresh(self) -> None:
        self.end()
        if self.redis_port:
            subprocess.run(["redis-cli", "-p", str(self.redis_port), "flushall"], check=True, capture_output=True)
        self._sink = self.sink = Sink(POSTFIX, free_port())
        wait_until(lambda: listens(self.sink.port), "smtp-sink")

    def run(self, name: str, command: list[str | Path], env: Mapping[str, str], port: int | None = None) -> Process:
        """Start a process of a contender; with `port`, wait until it listens there."""
        process = Process(name, command, self.log, env={"PYTHONPATH": str(ROOT), **env}, cwd=ROOT)
        self._running.append(process)
        if port:
            wait_until(lambda: process.check() and listens(port), f"{name} on port {port}")
        return process

    def do(self, command: list[str | Path], env: Mapping[str, str] | None = None) -> str:
        """Run a command to its end; what it printed."""
        done = subprocess.run(
            [str(part) for part in command],
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}, cwd=ROOT, capture_output=True, text=True,
            timeout=900,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stderr[-3000:]}")
        return done.stdout

    def python(self, *arguments: str | int, env: Mapping[str, str] | None = None) -> str:
        return self.do([PYTHON, "-m", *(str(one) for one in arguments)], env)

    def end(self) -> None:
        """Stop the contender and the sink."""
        for process in self._running:
            process.stop()
        self._running.clear()
        if self._sink is not None:
            self._sink.close()
            self._sink = None

    def close(self) -> None:
        self.end()
        for server in self._servers:
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    one = Stage()
    try:
        yield one
    finally:
        one.close()
