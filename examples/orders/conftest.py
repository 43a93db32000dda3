from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from orders.app import from_environment

from notifier.testing.server import NotifierServer


@pytest.fixture
def shop(notifier_server: NotifierServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The shop, beside a notifier of this test's own that has the templates of this project."""
    monkeypatch.setenv("NOTIFIER_URL", notifier_server.url)
    monkeypatch.setenv("NOTIFIER_API_KEY", notifier_server.key)
    with TestClient(from_environment()) as client:
        yield client
