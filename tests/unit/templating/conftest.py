"""Templates written in the test itself, or the repository's own."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from notifier.templating import Template, close, compile_bundle

Make = Callable[..., Template]


@pytest.fixture
def at() -> datetime:
    """When the notification was accepted: a Saturday, 12:00 UTC, 13:00 in Paris."""
    return datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def make() -> Make:
    """A compiled template `t` from its parts; a path with a leading underscore is shared."""

    def compiled(parts: Mapping[str, str], assets: Mapping[str, bytes] | None = None, **options: str) -> Template:
        files = {path if path.startswith("_") else f"t/{path}": text for path, text in parts.items()}
        files.setdefault("t/subject.txt", "Subject")
        return compile_bundle(close("t", files, assets or {}), **options)

    return compiled


@pytest.fixture(scope="session")
def shipped() -> Path:
    """The templates that ship with notifier."""
    return Path(__file__).parents[3] / "templates"
