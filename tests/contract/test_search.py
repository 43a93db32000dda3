"""Whatever a filter combines, it finds what it says, newest first."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from notifier.domain.acceptance import Acceptance, New
from notifier.domain.listing import Filter, Page
from notifier.domain.notification import Recipient, Record, uuid7

if TYPE_CHECKING:
    from tests.contract.conftest import Desk

BATCH = uuid7()
CUT = datetime.now(UTC) - timedelta(hours=1)
VALUES: dict[str, tuple[Any, ...]] = {
    "status": (None, "queued", "scheduled", "deferred", "sending", "sent"),
    "recipient": (None, "zoe@x.test"),
    "tag": (None, "spring"),
    "template": (None, "news"),
    "reference": (None, "r-1"),
    "batch": (None, BATCH),
    "created": (None, "after", "before"),
}


async def _fill(desk: "Desk") -> dict[str, Record]:
    """Some of everything, in two projects and every status that comes without an endpoint of its own."""
    ids = []
    for n in range(48):
        one = desk.notification(
            "zoe@x.test" if n % 2 else "bo@x.test",
            project="second" if n % 12 == 11 else "default",
            tags=("spring",) if n % 3 == 0 else (),
            template="news" if n % 4 < 2 else "welcome",
            reference="r-1" if n % 5 < 3 else None,
            batch=BATCH if n % 6 < 3 else None,
            send_at=datetime.now(UTC) + timedelta(days=1) if n % 7 == 3 else None,
        )
        if n < 16:
            created_at = CUT - timedelta(minutes=30)
            one = replace(one, id=f"{_id_of(created_at)}{one.id[13:]}", created_at=created_at)
        await desk.store.accept(Acceptance(one.project, (New(one, None, {}),), one.created_at))
        ids.append(one.id)
    claimed = await desk.claim(30)
    for n, claim in enumerate(claimed[4:]):
        await desk.store.finish(desk.deferred(claim, 3600) if n % 3 == 0 else desk.sent(claim))
    for id_ in ids[::6]:
        await desk.store.cancel_each("default", [id_])
    return dict(await desk.store.records(ids))


def _id_of(at: datetime) -> str:
    digits = f"{int(at.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _is_wanted(record: Record, wanted: Filter) -> bool:
    one = record.notification
    return (
        one.project == "default"
        and wanted.status in (None, record.status)
        and (wanted.recipient is None or any(r.address_key == wanted.recipient for r in one.recipients))
        and (wanted.tag is None or wanted.tag in one.tags)
        and wanted.template in (None, one.template)
        and wanted.reference in (None, one.reference)
        and wanted.batch in (None, one.batch)
        and (wanted.created_after is None or one.created_at > wanted.created_after)
        and (wanted.created_before is None or one.created_at < wanted.created_before)
    )


async def test_every_combination_finds_what_it_says_newest_first(desk: "Desk") -> None:
    records = await _fill(desk)
    there = {record.status for record in records.values()}
    assert {"queued", "scheduled", "deferred", "sending", "sent", "canceled"} <= there
    found = 0
    for values in itertools.product(*VALUES.values()):
        asked = dict(zip(VALUES, values, strict=True))
        if created := asked.pop("created"):
            asked[f"created_{created}"] = CUT
        wanted = Filter(**asked)
        expected = sorted((id_ for id_, one in records.items() if _is_wanted(one, wanted)), reverse=True)
        assert list(await desk.store.matching("default", wanted, Page(100))) == expected, wanted
        found += bool(expected)
    assert found > 100


async def test_pages_join_without_gap_or_double_in_both_directions(desk: "Desk") -> None:
    await _fill(desk)
    for wanted in (Filter(), Filter(tag="spring"), Filter(recipient="zoe@x.test"), Filter(status="queued")):
        whole = list(await desk.store.matching("default", wanted, Page(100)))
        assert len(whole) > 4
        older = await desk.store.matching("default", wanted, Page(2, after=whole[1]))
        assert list(older) == whole[2:4]
        newer = await desk.store.matching("default", wanted, Page(2, before=whole[4]))
        assert list(newer) == [whole[3], whole[2]]


async def test_a_mail_that_names_an_address_twice_is_found_once(desk: "Desk") -> None:
    one = desk.notification("zoe@x.test")
    twice = (*one.recipients, Recipient(1, "cc", "Zoe@x.test", address_key="zoe@x.test"))
    await desk.store.accept(Acceptance("default", (New(replace(one, recipients=twice), None, {}),), one.created_at))
    listed = await desk.store.listed("default", Filter(recipient="zoe@x.test"), Page(10))
    assert [record.notification.id for record in listed.records] == [one.id]


async def test_times_at_the_ends_of_the_calendar_leave_nothing_out(desk: "Desk") -> None:
    one = desk.notification("zoe@x.test")
    await desk.store.accept(Acceptance("default", (New(one, None, {}),), one.created_at))
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    for everything in (Filter(created_after=first), Filter(created_before=last)):
        assert list(await desk.store.matching("default", everything, Page(10))) == [one.id]
    for nothing in (Filter(created_after=last), Filter(created_before=first)):
        assert not list(await desk.store.matching("default", nothing, Page(10)))
