from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from orders.app import create_app

from notifier.testing.server import NotifierServer


@pytest.fixture
def shop(notifier_server: NotifierServer) -> Iterator[TestClient]:
    """The shop, beside a notifier of this test's own that has the templates of this project."""
    with TestClient(create_app(notifier_server.url, notifier_server.key)) as client:
        yield client
