"""The API against a dict: whatever is posted, replayed, canceled, sent, failed, retried, stopped and let go on, in any
order, a notification is where the model says, and lists tell the same."""

import asyncio
import secrets
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from notifier.domain.delivery import Finish, Moved, NewEvent
from notifier.domain.lifecycle import Status
from tests.acceptance.conftest import House, start_house

T = TypeVar("T")
TEMPLATES = ("hello", "careful")
TAGS = ("a", "b")


class _Shared:
    """One house for all examples: each has a project of its own in it."""

    loop: asyncio.AbstractEventLoop
    house: House

    @classmethod
    def run(cls, work: Coroutine[Any, Any, T]) -> T:
        return cls.loop.run_until_complete(work)


class Api(RuleBasedStateMachine):
    """`self.known` is the model: what each id is, in the order in which they were made."""

    taken = Bundle("taken")

    def __init__(self) -> None:
        super().__init__()
        self.project = secrets.token_hex(8)
        _, self.client = _Shared.run(_Shared.house.key(project=self.project))
        self.known: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, tuple[dict[str, Any], str]] = {}
        self.stopped: set[str] = set()

    def teardown(self) -> None:
        # What is left must not be claimed in the name of the next example.
        for id_, one in self.known.items():
            if one["status"] == "queued":
                self._post(f"/v1/notifications/{id_}/cancel")
        _Shared.run(self.client.aclose())

    def _post(self, path: str, body: Any = None, **headers: str) -> Any:
        return _Shared.run(self.client.post(path, json=body, headers=headers))

    # ---- rules

    @rule(
        target=taken,
        template=st.sampled_from(TEMPLATES),
        tags=st.sets(st.sampled_from(TAGS)),
        key=st.none() | st.sampled_from(("k1", "k2", "k3")),
    )
    def post(self, template: str, tags: set[str], key: str | None) -> str:
        body = {"template": template, "to": "zoe@example.com", "data": {"name": "n", "code": "c"}, "tags": sorted(tags)}
        answer = self._post("/v1/notifications", body, **({"Idempotency-Key": key} if key else {}))
        earlier = self.keys.get(key) if key else None
        if earlier is not None and earlier[0] != body:
            assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
            return earlier[1]
        assert answer.status_code == 202
        id_ = str(answer.json()["id"])
        if earlier is not None:
            assert (id_, answer.headers["idempotent-replayed"]) == (earlier[1], "true")
            assert answer.json()["status"] == self.known[id_]["status"]
            return id_
        assert id_ not in self.known
        self.known[id_] = {"status": "queued", "template": template, "tags": tags, "attempts": 0}
        if key:
            self.keys[key] = (body, id_)
        return id_

    @rule(id_=taken)
    def cancel(self, id_: str) -> None:
        answer = self._post(f"/v1/notifications/{id_}/cancel")
        if self.known[id_]["status"] == "queued":
            assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
            self.known[id_]["status"] = "canceled"
        else:
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, self.known[id_]["status"])

    @rule(id_=taken)
    def retry(self, id_: str) -> None:
        answer = self._post(f"/v1/notifications/{id_}/retry")
        if self.known[id_]["status"] in ("failed", "held"):
            assert (answer.status_code, answer.json()["status"]) == (200, "queued")
            self.known[id_] |= {"status": "queued", "attempts": 0}
        else:
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, self.known[id_]["status"])

    @rule(target=taken, id_=consumes(taken))
    def resend(self, id_: str) -> str:
        answer = self._post(f"/v1/notifications/{id_}/resend", {"to": "other@example.com"})
        assert (answer.status_code, answer.json()["resend_of"]) == (202, id_)
        fresh = str(answer.json()["id"])
        self.known[fresh] = {**self.known[id_], "status": "queued", "attempts": 0}
        return fresh

    @rule(scope=st.sampled_from(("all", *(f"template:{name}" for name in TEMPLATES))), stop=st.booleans())
    def stop_or_go_on(self, scope: str, stop: bool) -> None:
        if stop:
            assert _Shared.run(self.client.put(f"/v1/pauses/{scope}")).status_code == 200
            self.stopped.add(scope)
        else:
            answer = _Shared.run(self.client.delete(f"/v1/pauses/{scope}"))
            assert answer.status_code == (204 if scope in self.stopped else 404)
            self.stopped.discard(scope)

    @rule(status=st.sampled_from((Status.SENT, Status.FAILED, Status.HELD)))
    def work(self, status: Status) -> None:
        """A worker claims what is due, which is just what nothing holds, and ends it."""
        store = _Shared.house.service.store
        claimed = _Shared.run(store.claim("model", 60.0, 100, 1, False)).claimed
        due = {id_ for id_, one in self.known.items() if one["status"] == "queued" and not self._held_by(one)}
        assert {one.notification.id for one in claimed} == due
        for one in claimed:
            id_ = one.notification.id
            final: Any = status.value
            events = [NewEvent(f"email.{status}", "zoe@example.com", {})]
            moved = [Moved(0, status, "reply")]
            finish = Finish(id_, self.project, "model", one.lease_no, 1, moved, events, final, None, None)
            assert _Shared.run(store.finish(finish))
            self.known[id_] |= {"status": status.value, "attempts": 1}

    def _held_by(self, one: dict[str, Any]) -> str | None:
        return next((scope for scope in ("all", f"template:{one['template']}") if scope in self.stopped), None)

    # ---- what always holds

    @invariant()
    def everything_is_where_the_model_says(self) -> None:
        listed = self._listed()
        assert [one["id"] for one in listed] == list(self.known)[::-1]
        for found in listed:
            one = self.known[found["id"]]
            assert (found["status"], found["attempts"]) == (one["status"], one["attempts"])
            assert found["final"] == (one["status"] != "queued")
            assert found["waits_for"] == (self._held_by(one) if one["status"] == "queued" else None)
        for found in listed[:1] + listed[-1:]:  # newest and oldest; all of them would be most of the test's time
            assert _Shared.run(self.client.get(f"/v1/notifications/{found['id']}")).json() == found

    @invariant()
    def lists_pick_out_the_same(self) -> None:
        newest_first = list(self.known)[::-1]
        tagged = [id_ for id_ in newest_first if "a" in self.known[id_]["tags"]]
        failed = [id_ for id_ in newest_first if self.known[id_]["status"] == "failed"]
        assert [one["id"] for one in self._listed(tag="a")] == tagged
        assert [one["id"] for one in self._listed(status="failed")] == failed

    def _listed(self, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        page = {"data": [], "has_more": True}
        while page["has_more"]:
            after = {"after": found[-1]["id"]} if found else {}
            page = _Shared.run(self.client.get("/v1/notifications", params={"limit": 3, **query, **after})).json()
            found += page["data"]
        return found


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[None]:
    """Hypothesis drives its machines from outside a loop, so the house has one of its own here."""
    _Shared.loop = asyncio.new_event_loop()
    stack = AsyncExitStack()
    with TemporaryDirectory(dir=tmp_path) as folder:
        _Shared.house = _Shared.run(start_house(stack, Path(folder), {"NOTIFIER_LOG_LEVEL": "error"}))
        worker = _Shared.house.service.worker
        assert worker is not None
        worker.dispatcher.drain()
        try:
            yield
        finally:
            _Shared.run(stack.aclose())
            _Shared.loop.close()


@pytest.mark.usefixtures("shared")
def test_the_api_is_a_dict_that_somebody_delivers() -> None:
    run_state_machine_as_test(
        Api,
        settings=settings(
            max_examples=6, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
