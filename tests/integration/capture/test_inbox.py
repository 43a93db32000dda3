"""The inbox's pages and its HTTP API."""

import asyncio
import re
from collections.abc import AsyncIterator
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
import uvicorn

from notifier.capture import Capture, FaultPlan, MessageStore
from notifier.capture.pages import standalone_app

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'</title></textarea>"


def letter(subject: str = "Hello", *, to: str = "b@x.test", html: str | None = None, **headers: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ann <a@x.test>", to, subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("Your code is 482913.\n")
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message.as_bytes()


@pytest.fixture
def messages() -> MessageStore:
    return MessageStore()


@pytest.fixture
def faults() -> FaultPlan:
    return FaultPlan()


@pytest.fixture
async def client(messages: MessageStore, faults: FaultPlan) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(standalone_app(messages, faults))
    async with httpx.AsyncClient(transport=transport, base_url="http://inbox.test") as opened:
        yield opened


class Tags(HTMLParser):
    """Every tag with its attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_harmless(html: str) -> None:
    """No inline script, no event handler, nothing fetched from elsewhere."""
    for tag, attributes in Tags(html).tags:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        for name in ("src", "href", "action"):
            value = attributes.get(name) or ""
            assert re.match(r"/inbox/|\?|#main$|$", value), (tag, value)
        assert tag != "script" or attributes.get("src"), "an inline script"


async def test_the_list_shows_the_newest_first(client: httpx.AsyncClient, messages: MessageStore) -> None:
    assert "No mail yet" in (await client.get("/inbox/")).text
    messages.add("a@x.test", ["b@x.test"], letter("First"))
    messages.add("a@x.test", ["c@x.test"], letter("Second"))
    page = (await client.get("/inbox", follow_redirects=True)).text
    assert page.index("Second") < page.index("First")
    assert "c@x.test" in page
    assert (await client.get("/", follow_redirects=True)).text == page


@pytest.mark.parametrize("tab", ["html", "text", "source", "headers", "attachments"])
async def test_a_hostile_mail_is_harmless_on_every_page(
    tab: str, client: httpx.AsyncClient, messages: MessageStore
) -> None:
    hostile = EmailMessage()
    hostile["From"], hostile["To"], hostile["Subject"] = "a@x.test", "b@x.test", EVIL
    hostile["X-Evil"] = EVIL
    hostile.set_content(EVIL)
    hostile.add_alternative(EVIL, subtype="html")
    hostile.add_attachment(EVIL.encode(), maintype="text", subtype="html", filename=EVIL)
    message = messages.add(EVIL, [f"{EVIL}@x.test"], hostile.as_bytes())
    for path in ("/inbox/", f"/inbox/messages/{message.id}?tab={tab}"):
        answer = await client.get(path)
        assert_harmless(answer.text)
        assert "script-src 'self';" in answer.headers["content-security-policy"]
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "<script>alert(1)</script>" in Tags(answer.text).text


async def test_the_html_is_framed_on_a_page_without_an_origin(
    client: httpx.AsyncClient, messages: MessageStore
) -> None:
    message = messages.add("a@x.test", ["b@x.test"], letter(html="<html><head></head><body>hi <script>1</script>"))
    page = Tags((await client.get(f"/inbox/messages/{message.id}")).text)
    (frame,) = [attributes for tag, attributes in page.tags if tag == "iframe"]
    assert frame["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"
    framed = await client.get(frame["src"] or "")
    policy = framed.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups")
    assert "default-src 'none'; img-src data:;" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert '<head><base target="_blank"></head>' in framed.text


async def test_inline_images_are_shown_and_attachments_only_downloaded(
    client: httpx.AsyncClient, messages: MessageStore
) -> None:
    mail = EmailMessage()
    mail["Subject"] = "Logo"
    mail.set_content("text")
    mail.add_alternative('<img src="cid:logo@x.test">', subtype="html")
    mail.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<logo@x.test>")  # type: ignore[index, union-attr]
    mail.add_attachment(b"<script>", maintype="text", subtype="html", filename="é.html")
    message = messages.add("a@x.test", ["b@x.test"], mail.as_bytes())
    assert 'src="data:image/png;base64,iVBORw=="' in (await client.get(f"/inbox/messages/{message.id}/html")).text
    download = await client.get(f"/inbox/messages/{message.id}/attachments/1")
    assert download.content == b"<script>"
    assert download.headers["content-type"] == "application/octet-stream"
    assert download.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%A9.html"
    assert (await client.get(f"/inbox/messages/{message.id}/attachments/2")).status_code == 404


async def test_everything_is_deleted_by_our_own_page_only(client: httpx.AsyncClient, messages: MessageStore) -> None:
    messages.add("a@x.test", ["b@x.test"], letter())
    refused = await client.post("/inbox/delete", headers={"Sec-Fetch-Site": "cross-site"})
    assert (refused.status_code, len(messages)) == (403, 1)
    done = await client.post("/inbox/delete", headers={"Sec-Fetch-Site": "same-origin"})
    assert (done.status_code, done.headers["location"], len(messages)) == (303, "/inbox/", 0)


async def test_the_pages_need_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = (await client.get("/inbox/")).text
    assert_harmless(page)
    for tag, attributes in Tags(page).tags:
        url = attributes.get("src") or (attributes.get("href") if tag == "link" else None)
        if url:
            assert (await client.get(url)).status_code == 200, url


async def test_messages_are_listed_by_filters(client: httpx.AsyncClient, messages: MessageStore) -> None:
    first = messages.add("a@x.test", ["b@x.test"], letter("Welcome (1)"))
    second = messages.add("a@x.test", ["c@x.test"], letter("Reset", X_Notifier_Id="n-1", X_Notifier_Template="reset"))

    async def ids(**query: Any) -> list[str]:
        answer = await client.get("/inbox/api/messages", params=query)
        return [each["id"] for each in answer.json()["data"]]

    assert await ids() == [second.id, first.id]
    assert await ids(limit=1) == [second.id]
    assert await ids(to="C@x.test") == [second.id]
    assert await ids(subject="welcome (") == [first.id]
    assert await ids(notification="n-1") == [second.id]
    assert await ids(template="reset") == [second.id]
    assert await ids(reference="r") == []
    assert await ids(after=first.id) == [second.id]
    assert await ids(after=first.received_at.isoformat()) == [second.id]
    assert await ids(after=second.received_at.isoformat()) == []


async def test_a_message_is_told_with_its_links_and_codes(client: httpx.AsyncClient, messages: MessageStore) -> None:
    raw = letter("Sign in", html='<a href="https://x.test/in?t=1&amp;u=2">Sign in</a>')
    message = messages.add("a@x.test", ["b@x.test"], raw)
    told = (await client.get(f"/inbox/api/messages/{message.id}")).json()
    assert (told["from"], told["to"], told["rcpt_tos"]) == ("a@x.test", ["b@x.test"], ["b@x.test"])
    assert told["links"] == [{"text": "Sign in", "url": "https://x.test/in?t=1&u=2"}]
    assert told["codes"] == ["482913"]
    assert ["Subject", "Sign in"] in told["headers"]
    whole = await client.get(f"/inbox/api/messages/{message.id}/raw")
    assert (whole.content, whole.headers["content-type"]) == (raw, "message/rfc822")


async def test_wait_answers_when_the_mail_comes(client: httpx.AsyncClient, messages: MessageStore) -> None:
    waiting = asyncio.create_task(client.get("/inbox/api/messages/wait", params={"reference": "r-1"}))
    messages.add("a@x.test", ["b@x.test"], letter())
    right = messages.add("a@x.test", ["b@x.test"], letter(X_Notifier_Reference="r-1"))
    assert (await waiting).json()["id"] == right.id


async def test_wait_runs_out_with_what_came_instead(client: httpx.AsyncClient, messages: MessageStore) -> None:
    near = messages.add("a@x.test", ["b@x.test"], letter())
    answer = await client.get("/inbox/api/messages/wait", params={"to": "z@x.test", "timeout": 0})
    assert answer.status_code == 504
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["code"], told["near"][0]["id"], told["near"][0]["why_not"]) == ("no_such_mail", near.id, "to b@x.test")


async def test_delete_takes_what_matches(client: httpx.AsyncClient, messages: MessageStore) -> None:
    for to in ("b@x.test", "c@x.test", "b@x.test"):
        messages.add("a@x.test", [to], letter(to=to))
    assert (await client.delete("/inbox/api/messages", params={"to": "b@x.test"})).json() == {"deleted": 2}
    assert [message.rcpt_tos for message in messages] == [("c@x.test",)]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/inbox/api/messages/none", 404),
        ("GET", "/inbox/api/nothing", 404),
        ("PUT", "/inbox/api/messages", 405),
        ("GET", "/inbox/api/messages?limit=x", 422),
        ("GET", "/inbox/messages/none", 404),
        ("DELETE", "/inbox/api/faults/9", 404),
    ],
)
async def test_errors_are_problems(method: str, path: str, status: int, client: httpx.AsyncClient) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_faults_are_scripted_over_http(client: httpx.AsyncClient, faults: FaultPlan) -> None:
    kinds: list[dict[str, Any]] = [
        {"kind": "fail", "rcpt": "b@x.test", "code": 452, "times": 2},
        {"kind": "fail", "stage": "mail", "times": None},
        {"kind": "drop", "stage": "dot", "keep": True},
        {"kind": "hang", "stage": "data"},
        {"kind": "delay", "stage": "dot", "seconds": 2},
        {"kind": "trickle", "stage": "connect", "seconds": 0.1},
        {"kind": "garbage", "stage": "ehlo"},
        {"kind": "reject_auth"},
        {"kind": "no_starttls"},
        {"kind": "greylist", "seconds": 60},
        {"kind": "bounce", "rcpt": "b@x.test"},
    ]
    for asked in kinds:
        assert (await client.post("/inbox/api/faults", json=asked)).status_code == 201, asked
    told = (await client.get("/inbox/api/faults")).json()["data"]
    assert told[0] | {"id": 0} == {
        "id": 0, "kind": "fail", "stage": "rcpt", "rcpt": "b@x.test", "sender": None, "left": 2, "hits": 0
    }  # fmt: skip
    assert [each["kind"] for each in told[7:]] == ["fail", "hide", "greylist", "bounce"]
    assert (await client.delete(f"/inbox/api/faults/{told[0]['id']}")).json() == {"deleted": 1}
    assert len(faults) == 10
    assert (await client.delete("/inbox/api/faults")).json() == {"deleted": 10}


@pytest.mark.parametrize(
    "wrong", [{"kind": "explode"}, {"kind": "fail", "x": 1}, {"kind": "bounce"}, {"kind": "fail", "code": 250}]
)
async def test_a_wrong_fault_is_refused(wrong: dict[str, Any], client: httpx.AsyncClient, faults: FaultPlan) -> None:
    assert (await client.post("/inbox/api/faults", json=wrong)).status_code == 422
    assert len(faults) == 0


async def test_an_inbox_without_faults_has_no_faults_api(messages: MessageStore) -> None:
    transport = httpx.ASGITransport(standalone_app(messages))
    async with httpx.AsyncClient(transport=transport, base_url="http://inbox.test") as client:
        assert (await client.get("/inbox/api/faults")).status_code == 404


async def test_the_list_hears_of_new_mail_and_lets_a_stopping_server_go(connect: Any) -> None:
    async with Capture() as capture:
        config = uvicorn.Config(standalone_app(capture.messages), port=0, log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 -- uvicorn offers no event
            await asyncio.sleep(0.001)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with (
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
            client.stream("GET", "/inbox/events") as stream,
        ):
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.aiter_lines()
            assert [await anext(lines) for _ in range(3)] == ["retry: 500", "data: hello", ""]
            await (await connect(capture)).mail("b@x.test")
            assert await anext(lines) == "data: change"
            server.should_exit = True
            await capture.stop()
            assert [line async for line in lines][-1] == ""
        async with asyncio.timeout(5):
            await serving
