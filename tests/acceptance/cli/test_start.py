"""What a command imports before it does its work: a health check and a completed word are waited for."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import environment

_LIST = """
import atexit, sys
atexit.register(lambda: print("imported:", *sys.modules, file=sys.stderr))
sys.argv = ["notifier", *sys.argv[1:]]
from notifier.cli import main
main()
"""
SERVER = {
    "aiosmtpd", "aiosmtplib", "alembic", "fastapi", "fastapi_mail", "jinja2", "sqlalchemy", "starlette", "structlog",
    "uvicorn", "uvloop", "notifier.app", "notifier.capture", "notifier.store", "notifier.templating", "notifier.web",
}  # fmt: skip
NOBODY = ("--url", "http://127.0.0.1:9")


def imported(tmp_path: Path, *arguments: str, **settings: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _LIST, *arguments],
        cwd=tmp_path, env=environment(**settings), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    _, found, modules = done.stderr.partition("imported:")
    assert found, done.stderr
    return set(modules.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("ready", *NOBODY),
        ("status", "some-id", "--key", "some-key", *NOBODY),
        ("send", "welcome", "--to", "zoe@x.test", "--data", "name=Zoë", "--key", "some-key", *NOBODY),
        ("keys", "list", "--key", "some-key", *NOBODY),
        ("doctor", "--to", "nobody"),
        ("serve", "--port", "none"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_that_needs_no_server_imports_none(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert not imported(tmp_path, *arguments) & SERVER


def test_a_health_check_imports_no_settings(tmp_path: Path) -> None:
    assert not imported(tmp_path, "ready", *NOBODY) & {"pydantic_settings", "rich.progress", "email_validator"}


def test_a_command_on_the_database_imports_the_store_and_no_service(tmp_path: Path) -> None:
    modules = imported(tmp_path, "keys", "list", NOTIFIER_DATABASE_URL=f"sqlite:///{tmp_path / 'notifier.db'}")
    assert "notifier.store" in modules
    assert not modules & {"fastapi", "aiosmtpd", "aiosmtplib", "jinja2", "notifier.app.service", "notifier.web"}


@pytest.mark.parametrize("words", ["notifier ke", "notifier send --", "notifier keys re"])
def test_completing_a_word_imports_no_server(tmp_path: Path, words: str) -> None:
    position = str(len(words.split()) - 1)
    modules = imported(tmp_path, _NOTIFIER_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=position)
    assert not modules & SERVER
