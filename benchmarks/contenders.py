"""Who is compared: how each is started, and how a backlog is put before its workers. Nobody is tuned beyond what its
documentation shows, but for twenty connections or tasks at a time where there is a number for it."""

import json
import shutil
from abc import ABC, abstractmethod
from pathlib import Path

from benchmarks.install import NODE_PEER, PYTHON
from benchmarks.message import SENDER, TEMPLATES, body
from benchmarks.ours.fill import SECRET
from benchmarks.process import Process
from benchmarks.sink import free_port
from benchmarks.stage import Stage


class Contender(ABC):
    """`start_api` and `start_worker` answer the processes whose CPU and memory count. `path` is what is posted to,
    `batch_path` the same for many at once; an empty one means that there is none."""

    name: str
    path = "/send"
    batch_path = ""
    key = ""
    queued = True  # there is a backlog that workers can be started on
    durable = True  # an answer means that it is on the disk
    delivers = True

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.port = free_port()
        self.databases: list[str] = []

    @property
    def missing(self) -> str:
        """What of the machine's it needs and there is not."""
        return ""

    def prepare(self) -> None:  # noqa: B027 - most have nothing to prepare
        """A new database, if it has one."""

    def fill(self, count: int) -> None:
        raise NotImplementedError

    @abstractmethod
    def start(self, *, api: bool, worker: bool, relay: bool = True) -> list[Process]:
        """Without `relay`, mail goes to a port where nobody listens."""

    def servers(self) -> list[str]:
        """Names of the servers of the stage whose CPU is told beside its own."""
        return []

    def _relay(self, up: bool) -> dict[str, str]:
        return {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": str(self.stage.sink.port if up else free_port())}


class Ours(Contender):
    path, batch_path, key = "/v1/notifications", "/v1/notifications/batch", SECRET
    url = ""

    def settings(self, relay: bool = True) -> dict[str, str]:
        return {
            "NOTIFIER_DATABASE_URL": self.url, "NOTIFIER_API_KEY": SECRET, "NOTIFIER_TEMPLATES_DIR": str(TEMPLATES),
            "NOTIFIER_MAX_BACKLOG": "100000000", "MAIL_FROM": SENDER, **self._relay(relay),
        }  # fmt: skip

    def fill(self, count: int) -> None:
        self.stage.python("benchmarks.ours.fill", count, env=self.settings())

    def _run(self, role: str, port: int, relay: bool) -> Process:
        command: list[str | Path] = [PYTHON, "-m", "notifier", role, "--port", str(port)]
        return self.stage.run(role, command, self.settings(relay), port)


class Sqlite(Ours):
    name = "notifier serve, SQLite"

    def prepare(self) -> None:
        self.stage.databases += 1
        self.url = f"sqlite:///{self.stage.folder}/run{self.stage.databases}.db"

    def start(self, *, api: bool, worker: bool, relay: bool = True) -> list[Process]:  # noqa: ARG002 - one process is both
        return [self._run("serve", self.port, relay and worker)]


class Postgres(Ours):
    name = "notifier api + worker, PostgreSQL"

    @property
    def missing(self) -> str:
        return "" if self.stage.postgres_port else "PostgreSQL"

    def prepare(self) -> None:
        name = self.stage.new_database()
        self.url = f"postgresql://postgres@127.0.0.1:{self.stage.postgres_port}/{name}"
        self.stage.python("notifier", "db", "upgrade", env=self.settings())
        self.fill(0)

    def start(self, *, api: bool, worker: bool, relay: bool = True) -> list[Process]:
        started = []
        if api:
            started.append(self._run("api", self.port, relay))
        if worker:
            started.append(self._run("worker", free_port(), relay))
        return started

    def servers(self) -> list[str]:
        return ["postgres"]


class NoStore(Ours):
    """Not a competitor: the limit of the front door."""

    name = "limit: the same endpoint, no store"
    queued = durable = delivers = False

    def prepare(self) -> None:
        self.stage.databases += 1
        self.url = f"sqlite:///{self.stage.folder}/run{self.stage.databases}.db"

    def start(self, *, api: bool, worker: bool, relay: bool = True) -> list[Process]:  # noqa: ARG002
        command: list[str | Path] = [PYTHON, "-m", "benchmarks.ours.nostore", str(self.port)]
        return [self.stage.run("nostore", command, self.settings(relay=False), self.port)]


class BackgroundTasks(Contender):
    name = "FastAPI BackgroundTasks + fastapi-mail"
    queued = durable = False

    def start(self, *, api: bool, worker: bool, relay: bool = True) -> list[Process]:  # noqa: ARG002
        command = _uvicorn("background_tasks", self.port)
        return [self.stage.run("uvicorn", command, self._relay(True), self.port)]


class Celery(Contender):
    name = "Celery + Redis + smtplib"
    durable = False

    @property
    def missing(self) -> str:
        return "" if self.stage.redis_port else "redis-server"

    def _env(self) -> dict[str, str]:
        return {"REDIS_URL": f"redis://127.0.0.1:{self.stage.redis_port}/0", **self._relay(True)}

    def fill(self, count: int) -> None:
        self.stage.python("benchmarks.peers.celery_mail", count, env=self._env())

    def start(self, *, api: bool, worker: bool, relay: bool = True) -> list[Process]:  # noqa: ARG002
        started = []
        if api:
            started.append(self.stage.run("uvicorn", _uvicorn("celery_mail", self.port), self._env(), self.port))
        if worker:
            command: list[str | Path] = [PYTHON, "-m", "celery", "-A", "benchmarks.peers.celery_mail:celery", "worker"]
            started.append(self.stage.run("celery", [*command, "-l", "INFO"], {**self._env(), "C_FORCE_ROOT": "1"}))
        return started

    def servers(self) -> list[str]:
        return ["redis"]


class BullMq(Contender):
    name = "BullMQ + pooled nodemailer"
    durable = False

    @property
    def missing(self) -> str:
        if not (shutil.which("node") and (NODE_PEER / "node_modules/bullmq").is_dir()):
            return "node and npm"
        return "" if self.stage.redis_port else "redis-server"

    def _env(self) -> dict[str, str]:
        return {
            "REDIS_PORT": str(self.stage.redis_port), "TEMPLATES": str(TEMPLATES / "order"), "SENDER": SENDER,
            **self._relay(True),
        }  # fmt: skip

    def fill(self, count: int) -> None:
        lines = self.stage.folder / "bodies"
        lines.write_text("\n".join(json.dumps(body(n)) for n in range(count)), "utf-8")
        self.stage.do(["node", NODE_PEER / "mail.js", "fill", lines], self._env())

    def start(self, *, api: bool, worker: bool, relay: bool = True) -> list[Process]:  # noqa: ARG002
        started = []
        if api:
            command: list[str | Path] = ["node", NODE_PEER / "mail.js", "api", str(self.port)]
            started.append(self.stage.run("node api", command, self._env(), self.port))
        if worker:
            started.append(self.stage.run("node worker", ["node", NODE_PEER / "mail.js", "worker"], self._env()))
        return started

    def servers(self) -> list[str]:
        return ["redis"]


class PostOffice(Contender):
    """Has no endpoint of its own: mail is queued by Django code."""

    name = "django-post_office, PostgreSQL"
    path = ""

    @property
    def missing(self) -> str:
        return "" if self.stage.postgres_port else "PostgreSQL"

    def prepare(self) -> None:
        self.databases = ["127.0.0.1", str(self.stage.postgres_port), "postgres", self.stage.new_database()]

    def _env(self) -> dict[str, str]:
        return {"DJANGO_DATABASE": " ".join(self.databases), **self._relay(True)}

    def fill(self, count: int) -> None:
        self.stage.python("benchmarks.peers.post_office", "fill", count, env=self._env())

    def start(self, *, api: bool, worker: bool, relay: bool = True) -> list[Process]:  # noqa: ARG002
        command: list[str | Path] = [PYTHON, "-m", "benchmarks.peers.post_office", "send"]
        return [self.stage.run("send_queued_mail", command, self._env())]

    def servers(self) -> list[str]:
        return ["postgres"]


def _uvicorn(module: str, port: int) -> list[str | Path]:
    return [PYTHON, "-m", "uvicorn", f"benchmarks.peers.{module}:app", "--port", str(port), "--no-access-log"]


EVERYBODY: tuple[type[Contender], ...] = (Sqlite, Postgres, NoStore, BackgroundTasks, Celery, BullMq, PostOffice)
