"""The project itself: who may import what, and that what the files promise is there."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "notifier"

ROOMS = {
    # room: the other rooms of ours that it may import
    "domain": set(),
    "store": {"domain"},
    "templating": {"domain"},
    "mail": {"domain"},
    "capture": set(),
    "client": set(),
    "webhooks": {"domain"},
    "delivery": {"domain", "mail.mime"},
    "intake": {"domain"},
    "web": {"domain", "intake", "mail.address", "mail.headers", "mail.mime", "mail.words"},
}
"""The rules of the house. `delivery` and `web` use what is pure of `mail`: building and checking, never sending."""

ONE_ROOM_ONLY = {
    "aiosmtplib": {"mail"},
    "aiosmtpd": {"capture", "inbound"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "asyncpg": {"store"},
    "fastapi_mail": {"probe"},
    "dns": {"records"},
    "uvicorn": {"server"},
    "typer": {"cli"},
    "structlog": {"telemetry"},
    "prometheus_client": {"telemetry"},
    "pydantic_settings": {"settings"},
    "jinja2": {"templating", "capture", "web"},
    "fastapi": {"web", "app", "capture"},
    "httpx2": {"client", "cli", "demo", "testing", "webhooks"},
    "httpcore2": {"webhooks"},
}
"""One library, one room: a change of library is a change of one place."""


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield ".".join(path.relative_to(PACKAGE).with_suffix("").parts), path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize(("module", "path"), list(modules()), ids=[name for name, _ in modules()])
def test_a_module_imports_only_what_its_room_may(module: str, path: Path) -> None:
    home = room(module)
    for imported in imports(path):
        library = imported.partition(".")[0]
        if library in ONE_ROOM_ONLY:
            assert home in ONE_ROOM_ONLY[library], f"{module} imports {imported}"
        if library != "notifier" or imported == "notifier":
            if home == "domain":
                assert library in sys.stdlib_module_names, f"{module} imports {imported}"
            continue
        target = imported.removeprefix("notifier.")
        assert home == "testing" or room(target) != "testing", f"{module} imports the test kit"
        if target.startswith("settings"):
            assert home in {"settings", "app", "cli", "serving", "demo", "testing"}, f"{module} reads settings"
        if home in ROOMS and room(target) != home and (PACKAGE / room(target)).is_dir():
            allowed = {home, *ROOMS[home]}
            good = any(target == name or target.startswith(f"{name}.") for name in allowed)
            assert good or target in {name.partition(".")[0] for name in allowed}, f"{module} imports {imported}"


def test_nothing_is_read_from_the_environment_but_by_settings() -> None:
    readers = {name for name, path in modules() if re.search(r"os\.(environ|getenv)", path.read_text("utf-8"))}
    assert readers == {"settings"}


def test_requirements_are_locked_with_hashes_and_name_no_registry() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        pinned = re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE | re.IGNORECASE)
        assert len(pinned) > 20
        assert len(re.findall(r"--hash=sha256:", text)) >= len(pinned)
        assert not re.search(r"://|--index|--find-links", text)


def test_every_requirement_that_is_named_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "requirements.txt").read_text().lower()
    for requirement in project["dependencies"]:
        name = re.split(r"[<>=; \[]", requirement)[0].lower()
        assert re.search(rf"^{re.escape(name)}==", locked, re.MULTILINE), f"{name} is not in requirements.txt"
