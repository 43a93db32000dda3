"""What the admin pages keep and ask for: users, sessions, the audit log, and what they see of the whole service."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from notifier.domain.acceptance import Acceptance, New
from notifier.domain.admin import Tally
from notifier.domain.delivery import Moved, NewEvent
from notifier.domain.lifecycle import Status
from notifier.store.admin import AdminStore

if TYPE_CHECKING:
    from tests.contract.conftest import Desk


@pytest.fixture
def admin(desk: "Desk") -> AdminStore:
    return AdminStore(desk.database)


def _soon() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


# ------------------------------------------------------------------------------------------------- users and sessions


async def test_a_user_is_made_once_and_found_by_name(admin: AdminStore) -> None:
    made = await admin.add_user("mei@x.test", "editor")
    assert (made.role, made.has_password, made.disabled_at) == ("editor", False, None)
    assert await admin.add_user("mei@x.test", "admin") == made
    assert await admin.find_user("mei@x.test") == (made, None)
    assert await admin.find_user("nobody@x.test") is None
    await admin.add_user("amir@x.test", "viewer")
    assert [user.name for user in await admin.users()] == ["amir@x.test", "mei@x.test"]


async def test_a_session_is_found_until_it_ends_and_a_link_works_once(admin: AdminStore) -> None:
    mei = await admin.add_user("mei", "viewer")
    await admin.add_session("a", mei.id, _soon())
    assert await admin.find_session("a") == mei
    assert await admin.take_session("a") == mei
    assert await admin.take_session("a") is None
    assert await admin.find_session("a") is None


async def test_a_session_that_is_over_opens_nothing_and_is_dropped_by_the_next(desk: "Desk", admin: AdminStore) -> None:
    mei = await admin.add_user("mei", "viewer")
    await admin.add_session("old", mei.id, datetime.now(UTC) - timedelta(minutes=5))
    assert await admin.find_session("old") is None
    await admin.add_session("new", mei.id, _soon())
    assert await desk.count("session") == 1
    assert await admin.take_session("old") is None


async def test_two_who_use_a_link_at_once_are_let_in_once(admin: AdminStore) -> None:
    mei = await admin.add_user("mei", "viewer")
    await admin.add_session("link", mei.id, _soon())
    taken = await asyncio.gather(*(admin.take_session("link") for _ in range(8)))
    assert [user for user in taken if user] == [mei]


async def test_a_new_password_ends_the_other_sessions(admin: AdminStore) -> None:
    mei = await admin.add_user("mei", "viewer")
    bo = await admin.add_user("bo", "viewer")
    for hash_, user in (("here", mei), ("there", mei), ("bos", bo)):
        await admin.add_session(hash_, user.id, _soon())
    await admin.set_password(mei.id, "argon2", keep="here")
    found = await admin.find_user("mei")
    assert found is not None
    assert (found[0].has_password, found[1]) == (True, "argon2")
    assert [await admin.find_session(hash_) is not None for hash_ in ("here", "there", "bos")] == [True, False, True]


async def test_who_is_disabled_or_has_another_role_is_out_at_once(admin: AdminStore) -> None:
    await admin.add_user("admin", "admin")
    mei = await admin.add_user("mei", "viewer")
    await admin.add_session("a", mei.id, _soon())
    assert await admin.change_user(mei.id, "editor", False)
    assert await admin.find_session("a") is None
    await admin.add_session("b", mei.id, _soon())
    assert await admin.change_user(mei.id, "editor", True)
    assert await admin.find_session("b") is None
    await admin.add_session("c", mei.id, _soon())
    assert await admin.find_session("c") is None


async def test_somebody_stays_admin_even_if_two_demote_each_other_at_once(admin: AdminStore) -> None:
    first, second = await admin.add_user("first", "admin"), await admin.add_user("second", "admin")
    changed = await asyncio.gather(
        admin.change_user(first.id, "viewer", False), admin.change_user(second.id, "viewer", False)
    )
    assert sorted(changed) == [False, True]
    assert [user.role for user in await admin.users()].count("admin") == 1
    assert not await admin.change_user("01990000-0000-7000-8000-000000000000", "admin", False)


async def test_the_audit_log_comes_newest_first_and_in_pages(desk: "Desk", admin: AdminStore) -> None:
    ids = [await admin.note("mei", "pause", f"template:{n}", {"n": n, "why": ["ü"]}) for n in range(5)]
    await desk.store.note("bo", "resume", "all", {})
    first = await admin.audit_page(None, 3)
    assert [one.subject for one in first] == ["all", "template:4", "template:3"]
    rest = await admin.audit_page(first[-1].id, 10)
    assert [one.id for one in rest] == ids[2::-1]
    entry = await admin.audit_entry(ids[0])
    assert entry is not None
    assert (entry.actor, entry.action, dict(entry.detail)) == ("mei", "pause", {"n": 0, "why": ["ü"]})
    assert await admin.audit_entry("01990000-0000-7000-8000-000000000000") is None


# ----------------------------------------------------------------------------------------------------------- overview


async def _finish(desk: "Desk", status: Status) -> None:
    (claimed,) = await desk.claim()
    moved = [Moved(0, status, "said")]
    events = [NewEvent("email.attempted", None, {}), NewEvent(f"email.{status}", "u@x.test", {})]
    await desk.store.finish(replace(desk.sent(claimed), moved=moved, events=events, final=status.value))


def _sums(tally: Tally) -> dict[str, int]:
    return {kind: sum(counts) for kind, counts in tally.counts(0, 1 << 40, 1).items()}


async def test_events_are_counted_by_kind_and_once_however_often(desk: "Desk", admin: AdminStore) -> None:
    for status in (Status.SENT, Status.SENT, Status.FAILED):
        await desk.accept()
        await _finish(desk, status)
    held = await desk.accept()
    await desk.store.hold("restored")
    await desk.store.retry("default", held)  # queued again, and accepted once
    tally = Tally()
    for _ in range(3):
        tally = await admin.tally(tally)
        assert _sums(tally) == {"accepted": 4, "sent": 2, "deferred": 0, "failed": 2}
    assert tally.complete
    await desk.accept()
    assert _sums(await admin.tally(tally))["accepted"] == 5


async def test_the_slowest_templates_come_first_and_wait_from_the_time_they_were_for(
    desk: "Desk", admin: AdminStore
) -> None:
    now = datetime.now(UTC)
    for template, age, late in (("slow", 3600, None), ("later", 3600, 60), ("fast", 0, None)):
        one = desk.notification(template=template)
        send_at = None if late is None else now - timedelta(seconds=late)
        one = replace(one, created_at=now - timedelta(seconds=age), send_at=send_at)
        await desk.store.accept(Acceptance("default", (New(one, None, {}),), one.created_at))
        await _finish(desk, Status.SENT)
    await desk.accept(template="refused")
    await _finish(desk, Status.FAILED)
    found = await admin.speeds(100)
    assert [(one.template, one.mails) for one in found] == [("slow", 1), ("later", 1), ("fast", 1)]
    assert 3600 <= found[0].median <= 3700
    assert 60 <= found[1].slowest <= 160
    assert [one.template for one in await admin.speeds(2)] == ["fast"]


async def test_marks_differ_once_something_has_changed(desk: "Desk", admin: AdminStore) -> None:
    id_, other = await desk.accept(), await desk.accept()
    seen = await admin.marks([id_, other])
    assert await admin.marks([id_, other]) == seen
    assert seen.of.keys() == {id_, other}

    await desk.store.cancel("default", other)
    changed = await admin.marks([id_, other])
    assert changed.whole != seen.whole
    assert changed.of[other] != seen.of[other]
    assert changed.of[id_] == seen.of[id_]

    await desk.claim()  # no event tells of it
    sending = await admin.marks([id_])
    assert sending.whole != changed.whole
    assert sending.of[id_] != seen.of[id_]

    await desk.store.add_pause("default", "all", None)
    assert (await admin.marks([id_])).of[id_] != sending.of[id_]
    assert (await admin.marks(["01990000-0000-7000-8000-000000000000"])).of == {}


async def test_projects_are_listed_by_name(desk: "Desk", admin: AdminStore) -> None:
    for name in ("second", "default"):
        await desk.store.project_secret(name)
    assert list(await admin.projects()) == ["default", "second"]
