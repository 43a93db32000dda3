"""The templates folder: the seed of the store, or the only source."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from notifier.app.service import Service
from notifier.domain.template import Source, Synced
from notifier.settings import Settings
from tests.acceptance.conftest import MakeHouse
from tests.acceptance.templates.conftest import LEAST, Desk

ONE = {"notice/subject.txt": "One {{ name }}", "notice/body.txt": "x\n"}
TWO = {**ONE, "notice/subject.txt": "Two {{ name }}"}
BREAKING = {**ONE, "notice/subject.txt": "Three {{ name }} {{ customer }}"}


def folder(path: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, "utf-8")
    return path


async def subject(desk: Desk) -> str:
    return str((await desk.get("notice"))["parts"]["subject.txt"])


async def test_content_seen_before_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    service = desk.house.service
    one, two = folder(tmp_path / "1", ONE), folder(tmp_path / "2", TWO)
    assert (await service.sync_templates(one)).published == ["notice"]
    assert (await service.sync_templates(one)).published == []
    assert (await service.sync_templates(two)).published == ["notice"]
    assert (await service.sync_templates(one)) == Synced([], {}, {}, [])
    assert await subject(desk) == "Two {{ name }}"
    assert len((await desk.get("notice/versions"))["data"]) == 2


@pytest.mark.parametrize("origin", ["api", "pages"])
async def test_an_admins_edit_is_never_overwritten(desk: Desk, tmp_path: Path, origin: str) -> None:
    service = desk.house.service
    await service.sync_templates(folder(tmp_path / "1", ONE))
    edited = Source({"subject.txt": "Edited {{ name }}", "body.txt": "x\n"})
    await service.editor.save("notice", edited, author="zoe", publish=True, origin=origin)  # type: ignore[arg-type]
    for always_publish in (False, True):
        again = await service.sync_templates(folder(tmp_path / "1", ONE), always_publish=always_publish)
        assert (again.published, again.drafted) == ([], {})
    newer = await service.sync_templates(folder(tmp_path / "1", TWO))
    assert newer.published == []
    assert newer.drafted == {"notice": ["the published version was made in the service, not in the folder"]}
    assert await subject(desk) == "Edited {{ name }}"
    states = [(one["state"], one["origin"]) for one in (await desk.get("notice/versions"))["data"]]
    assert states == [("draft", "folder"), ("published", origin), ("draft", "folder")]


async def test_what_was_deleted_does_not_come_back_by_itself(desk: Desk, tmp_path: Path) -> None:
    service = desk.house.service
    await service.sync_templates(folder(tmp_path / "1", ONE))
    await desk.http.delete("/v1/templates/notice")
    assert (await service.sync_templates(tmp_path / "1")).published == []
    assert (await desk.http.get("/v1/templates/notice")).status_code == 404
    changed = await service.sync_templates(folder(tmp_path / "1", TWO))
    assert changed.drafted == {"notice": ["it was deleted in the service"]}


async def test_a_breaking_change_of_the_folder_is_a_draft_with_a_warning(
    desk: Desk, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    service = desk.house.service
    await service.sync_templates(folder(tmp_path / "1", ONE))
    synced = await service.sync_templates(folder(tmp_path / "1", BREAKING))
    assert synced.drafted == {"notice": ["data.customer: 'customer' must now be sent"]}
    assert await subject(desk) == "One {{ name }}"
    assert "template kept as a draft" in "".join(capfd.readouterr())


async def test_one_broken_template_takes_down_no_other(desk: Desk, tmp_path: Path) -> None:
    service = desk.house.service
    await service.sync_templates(folder(tmp_path / "1", {**ONE, "bad/subject.txt": "x", "bad/body.txt": "fine"}))
    synced = await service.sync_templates(
        folder(tmp_path / "1", {**TWO, "bad/subject.txt": "{{ x", "bad/body.txt": "y"})
    )
    assert synced.published == ["notice"]
    assert [fault.field for fault in synced.broken["bad"]] == ["bad/subject.txt:1:4"]
    assert (await desk.get("bad"))["parts"]["body.txt"] == "fine"


async def test_two_replicas_with_different_folders_never_take_turns(postgres_url: str, tmp_path: Path) -> None:
    given = {"NOTIFIER_DATABASE_URL": postgres_url, "SUPPRESS_SEND": "1"}
    old, new = folder(tmp_path / "old", ONE), folder(tmp_path / "new", TWO)
    services = [Service(Settings.model_validate(given)) for _ in range(3)]
    await services[0].store.migrate()

    async def started(service: Service, path: Path) -> Synced:
        return await service.sync_templates(path)

    try:
        await started(services[0], old)
        assert (await started(services[1], new)).published == ["notice"]
        for _ in range(3):
            for service, path in zip(services, (old, new, old), strict=True):
                assert await started(service, path) == Synced([], {}, {}, [])
        assert (await services[2].store.published())["notice"].number == 2
        assert len(await services[2].store.versions("notice")) == 2
    finally:
        for service in services:
            await service.store.close()


async def test_processes_that_start_at_once_read_one_after_the_other(postgres_url: str, tmp_path: Path) -> None:
    given = {"NOTIFIER_DATABASE_URL": postgres_url, "SUPPRESS_SEND": "1"}
    services = [Service(Settings.model_validate(given)) for _ in range(4)]
    await services[0].store.migrate()
    folders = [folder(tmp_path / str(n), {**ONE, "notice/body.txt": f"{n}\n"}) for n in range(4)]
    try:
        done = await asyncio.gather(*(s.sync_templates(f) for s, f in zip(services, folders, strict=True)))
        assert [synced.published for synced in done] == [["notice"]] * 4
        versions = await services[0].store.versions("notice")
        assert [version.number for version in versions] == [4, 3, 2, 1]
        assert (await services[0].store.published())["notice"].number == 4
    finally:
        for service in services:
            await service.store.close()


async def test_a_folder_that_is_the_only_source_is_followed_always(make_house: MakeHouse, tmp_path: Path) -> None:
    house = await make_house(NOTIFIER_TEMPLATES_SOURCE="folder", NOTIFIER_TEMPLATES_DIR=str(tmp_path / "templates"))
    desk = Desk(house)
    listed = {one["name"] for one in (await desk.http.get("/v1/templates")).json()["data"]}
    assert listed == {"hello", "careful"}  # what ships was there before, and is not in the folder

    await house.stop()
    taken = await house.send(template="careful", data={"name": "Zoë"})
    for path in (tmp_path / "templates/careful").iterdir():
        path.unlink()
    (tmp_path / "templates/careful").rmdir()
    synced = await house.service.sync_templates(folder(tmp_path / "templates", BREAKING))
    assert (synced.published, synced.withdrawn) == (["notice"], ["careful"])
    refused = await desk.http.post(
        "/v1/notifications", json={"template": "careful", "to": "a@b.test", "data": {"name": "x"}}
    )
    assert refused.status_code == 422
    for files in (ONE, TWO, ONE, BREAKING):
        assert (await house.service.sync_templates(folder(tmp_path / "templates", files))).published == ["notice"]
        assert await subject(desk) == files["notice/subject.txt"]
    await house.go_on()
    assert (await house.final(taken["id"]))["status"] == "sent"

    before = await desk.get("hello")
    for answer in (
        await desk.put("notice", LEAST),
        await desk.publish("notice", 1),
        await desk.http.delete("/v1/templates/notice"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "read_only")
        assert f"edit them there, in {tmp_path / 'templates'}" in answer.json()["detail"]
    assert await desk.get("hello") == before
    assert (await desk.post("hello/preview", {"data": {"name": "Zoë", "code": "1"}})).status_code == 200
