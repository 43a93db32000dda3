import os
from collections.abc import Iterator

import django
import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import override_settings

from notifier.client import Notifier
from notifier.testing.server import NotifierServer


def pytest_configure() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    django.setup()


@pytest.fixture(autouse=True)
def at_notifier(notifier_server: NotifierServer, notifier_client: Notifier) -> Iterator[None]:
    """The settings name the notifier of this test, and a key that may do no more than it must."""
    key = notifier_client.create_key("django", scopes=["send", "send:content"])
    with override_settings(NOTIFIER_URL=notifier_server.url, NOTIFIER_API_KEY=key.secret):
        yield


@pytest.fixture
def database() -> Iterator[None]:
    order = apps.get_model("shop", "Order")
    with connection.schema_editor() as editor:
        editor.create_model(order)
    yield
    with connection.schema_editor() as editor:
        editor.delete_model(order)
