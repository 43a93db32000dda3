"""What every test may use. A test whose server is missing is skipped by name with the command that adds it; under
NOTIFIER_TESTS_MAY_NOT_SKIP (CI) a skip fails the run."""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

POSTGRES = os.environ.get("NOTIFIER_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
START_POSTGRES = "start PostgreSQL (Debian: `pg_ctlcluster 15 main start`), or name one in NOTIFIER_TEST_POSTGRES"


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@asynccontextmanager
async def _database() -> AsyncIterator[str]:
    name = f"notifier_{uuid.uuid4().hex[:12]}"
    try:
        connection = await asyncpg.connect(POSTGRES, timeout=5)
    except (OSError, asyncpg.PostgresError) as error:
        pytest.skip(f"no PostgreSQL at {POSTGRES} ({error}): {START_POSTGRES}")
    await connection.execute(f"CREATE DATABASE {name}")
    try:
        yield POSTGRES.rpartition("/")[0] + f"/{name}"
    finally:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()


@pytest.fixture
async def postgres_url() -> AsyncIterator[str]:
    """A PostgreSQL database of the test's own."""
    async with _database() as url:
        yield url


@pytest.fixture(scope="session")
async def shared_postgres_url() -> AsyncIterator[str]:
    """A PostgreSQL database for those who empty it themselves."""
    async with _database() as url:
        yield url


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if reporter and skipped and os.environ.get("NOTIFIER_TESTS_MAY_NOT_SKIP"):
        reporter.write_line(f"{len(skipped)} tests were skipped, and none may be here", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
