"""How much templates were used, counted a piece at a time."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, update

from notifier.domain.acceptance import Acceptance, New
from notifier.domain.key import TRIAL
from notifier.domain.usage import Usage, Use
from notifier.store import usage as uses
from notifier.store.admin import AdminStore
from notifier.store.rows import event_row
from notifier.store.tables import event

if TYPE_CHECKING:
    from tests.contract.conftest import Desk

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(hours=2)


async def happened(desk: "Desk", type_: str, at: datetime, times: int = 1, **more: Any) -> None:
    """Events of a notification, as if they were written then."""
    one = desk.notification(**more)
    await desk.store.accept(Acceptance(one.project, (New(one, None, {}),), one.created_at))
    await desk.run(lambda tx: tx.connection.execute(update(event).values(at=LONG_AGO).where(event.c.at > LONG_AGO)))
    rows = [event_row(one.id, one.project, type_, at, "u@x.test", {}) for _ in range(times)]
    await desk.run(lambda tx: tx.connection.execute(insert(event), rows))


async def counted(desk: "Desk", known: Usage) -> dict[tuple[str, Use], int]:
    """Looks until there is nothing left to count."""
    await AdminStore(desk.database).usage(known, 60)
    assert known.complete
    assert known.current
    return {**known.since(uses.first_hour(datetime.now(UTC)))}


async def test_uses_are_counted_by_template_and_tests_of_a_template_are_none(desk: "Desk") -> None:
    await happened(desk, "email.sent", LONG_AGO, 3)
    await happened(desk, "email.failed", LONG_AGO, 2, template="receipt")
    await happened(desk, "email.bounced", LONG_AGO, template="receipt")
    await happened(desk, "email.deferred", LONG_AGO)
    await happened(desk, "email.sent", LONG_AGO, key=f"{TRIAL}somebody")
    await happened(desk, "email.sent", NOW - timedelta(days=8))
    assert await counted(desk, Usage()) == {("welcome", "sent"): 3, ("receipt", "failed"): 3}


async def test_pieces_add_up_whenever_they_are_looked_at(desk: "Desk", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uses, "PIECE", 4)
    known = Usage()
    for number in range(1, 6):
        await happened(desk, "email.sent", LONG_AGO, 3)
        if number % 2:
            assert await counted(desk, known) == {("welcome", "sent"): 3 * number}
    await happened(desk, "email.sent", LONG_AGO, 30)
    assert await counted(desk, known) == {("welcome", "sent"): 45}
    assert await counted(desk, Usage()) == {("welcome", "sent"): 45}


async def test_what_somebody_sent_to_try_a_template_is_no_callers_request(desk: "Desk") -> None:
    await desk.store.project_secret("default")
    await happened(desk, "email.sent", LONG_AGO, data={"name": "Zoë"})
    await happened(desk, "email.sent", LONG_AGO, data={"name": "sample"}, key=f"{TRIAL}somebody")
    assert await desk.store.recent_data("welcome", 10) == [{"name": "Zoë"}]
