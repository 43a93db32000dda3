"""Both ways with a worker that takes its tasks from Celery's in-memory broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import tasks_after
import tasks_before
from celery import Celery
from celery.contrib.testing.worker import start_worker
from sqlalchemy import create_engine
from tasks_after import Sessions, place_order, tell_the_missed

from notifier.client import Notifier
from notifier.testing.mailbox import Mailbox
from notifier.testing.server import NotifierServer


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[None]:
    """The shop's own database."""
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    tasks_after.Base.metadata.create_all(engine)
    Sessions.configure(bind=engine)
    yield
    engine.dispose()


@pytest.fixture
def notifier_there(notifier_server: NotifierServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFIER_URL", notifier_server.url)
    monkeypatch.setenv("NOTIFIER_API_KEY", notifier_server.key)


@pytest.fixture
def notifier_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFIER_URL", "http://127.0.0.1:1")  # nobody listens there
    monkeypatch.setenv("NOTIFIER_API_KEY", "none")


def worker(celery: Celery) -> Iterator[None]:
    celery.conf.update(result_backend="cache+memory://", broker_transport_options={"polling_interval": 0.05})
    with start_worker(celery, pool="solo", perform_ping_check=False, shutdown_timeout=60):
        yield


@pytest.fixture
def worker_before() -> Iterator[None]:
    yield from worker(tasks_before.celery)


@pytest.fixture
def worker_after() -> Iterator[None]:
    yield from worker(tasks_after.celery)


def orders(count: int) -> list[int]:
    with Sessions() as session:
        placed = [place_order(session, f"reader-{n}@example.com") for n in range(count)]
        session.commit()
        return [order.id for order in placed]


@pytest.mark.usefixtures("worker_before")
def test_before_a_task_speaks_smtp(notifier_mail: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_SERVER", notifier_mail.host)
    monkeypatch.setenv("MAIL_PORT", str(notifier_mail.port))
    tasks_before.send_order_mail.delay(1, "reader-0@example.com").get(timeout=60)
    assert notifier_mail.wait_for(to="reader-0@example.com", timeout=20).subject == "Your order 1"


@pytest.mark.usefixtures("shop", "notifier_there")
def test_after_the_commit_tells_the_buyer(notifier_mail: Mailbox) -> None:
    [order] = orders(1)
    mail = notifier_mail.wait_for(reference=f"order-{order}", timeout=20)
    assert (mail.subject, mail.rcpt_tos) == (f"Your order {order}", ("reader-0@example.com",))


@pytest.mark.usefixtures("shop", "notifier_there")
def test_an_order_that_is_rolled_back_tells_nobody(notifier_mail: Mailbox, notifier_client: Notifier) -> None:
    with Sessions() as session:
        place_order(session, "reader-0@example.com")
        session.flush()
        session.rollback()
        session.commit()
    assert list(notifier_client.list()) == []
    notifier_mail.assert_none()


@pytest.mark.usefixtures("shop", "worker_after")
def test_the_sweep_tells_what_was_missed_and_nothing_twice(
    notifier_mail: Mailbox, notifier_client: Notifier, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("notifier_away")
    missed = orders(1)
    request.getfixturevalue("notifier_there")
    told = orders(1)
    assert tell_the_missed.delay().get(timeout=60) == 2
    assert tell_the_missed.delay().get(timeout=60) == 0
    assert {one.reference for one in notifier_client.list()} == {f"order-{n}" for n in missed + told}
    for order in missed + told:
        notifier_mail.wait_for(reference=f"order-{order}", timeout=20)
    assert len(notifier_mail.mails) == 2
