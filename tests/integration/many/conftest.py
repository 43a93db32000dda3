"""A PostgreSQL server of these tests' own, and one API process and two workers on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from notifier.capture import Capture
from tests.support.cluster import INSTALL, Cluster, binaries
from tests.support.fleet import Fleet, opened


@pytest.fixture(scope="module")
async def cluster() -> AsyncIterator[Cluster]:
    if binaries() is None:
        pytest.skip(INSTALL)
    async with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
async def relay() -> AsyncIterator[Capture]:
    async with Capture(keep=100_000) as capture:
        yield capture


@pytest.fixture(scope="module")
async def shared_fleet(
    cluster: Cluster, relay: Capture, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Fleet]:
    folder: Path = tmp_path_factory.mktemp("fleet")
    async with opened(folder, cluster.url, relay) as fleet:
        yield fleet


@pytest.fixture
async def fleet(shared_fleet: Fleet, relay: Capture) -> AsyncIterator[Fleet]:
    """All of it runs when a test begins."""
    await shared_fleet.whole()
    yield shared_fleet
    relay.faults.clear()
