"""Readers say stop: one click of their mail program, or a page; and nothing else of ours is stopped by it."""

import re

import pytest

from tests.acceptance.conftest import House, MakeHouse

PUBLIC = "https://mail.shop.example"


@pytest.fixture
async def shop(make_house: MakeHouse) -> House:
    house = await make_house(NOTIFIER_PUBLIC_URL=PUBLIC, MAIL_FROM_NAME="The <shop>")
    for name, settings in {
        "news": {"category": "news", "unsubscribe": True},
        "offers": {"category": "offers", "unsubscribe": True},
        "invoice": {"category": "invoices"},
    }.items():
        body = {"parts": {"subject.txt": name, "body.txt": f"{name}.\n"}, "settings": settings}
        answer = await house.http.put(f"/v1/templates/{name}", params={"publish": True}, json=body)
        assert answer.status_code == 200, answer.text
    return house


async def link(house: House, **fields: object) -> str | None:
    """The path of the link in the mail that goes out, if there is one."""
    taken = await house.send(**{"template": "news", "data": {}, **fields})
    await house.final(taken["id"])
    (raw,) = [mail.raw.decode() for mail in house.capture.messages if taken["id"] in mail.raw.decode()]
    head = re.sub(r"\r\n[ \t]", " ", raw.partition("\r\n\r\n")[0])
    if "List-Unsubscribe" not in head:
        return None
    assert "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click" in head
    found = re.search(r"\r\nList-Unsubscribe: <https://mail\.shop\.example(/unsubscribe/[\w-]+)>", head)
    assert found, head
    return found[1]


async def test_one_click_stops_it_at_once_and_nothing_else(shop: House) -> None:
    path = await link(shop)
    assert path is not None
    form = {"List-Unsubscribe": "One-Click"}
    answer = await shop.http.post(path, data=form, headers={"authorization": ""})
    assert answer.status_code == 200
    assert (await shop.send(template="news", data={}))["status"] == "suppressed"
    assert (await shop.send(template="offers", data={}))["status"] == "queued"
    assert (await shop.send())["status"] == "queued"
    (one,) = (await shop.http.get("/v1/suppressions/zoe@example.com")).json()["data"]
    assert (one["scope"], one["reason"], one["source"]) == ("news", "unsubscribed", "one-click")
    feed = (await shop.http.get("/v1/events", params={"type": "email.unsubscribed"})).json()["data"]
    assert [(event["recipient"], event["detail"]["suppresses"]) for event in feed] == [("zoe@example.com", "news")]


async def test_looking_at_the_page_changes_nothing_and_its_button_does(shop: House) -> None:
    path = await link(shop)
    assert path is not None
    for method in ("GET", "HEAD", "GET"):
        page = await shop.http.request(method, path)
    assert page.status_code == 200
    assert "The &lt;shop&gt;" in page.text
    assert "news" in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert (await shop.http.get("/v1/suppressions/zoe@example.com")).status_code == 404
    assert (await shop.http.post(path)).status_code == 200
    assert (await shop.http.post(path)).status_code == 200  # who clicks twice is answered twice
    (one,) = (await shop.http.get("/v1/suppressions/zoe@example.com")).json()["data"]
    assert one["source"] == "page"


@pytest.mark.parametrize(
    "fields",
    [
        {"template": "invoice"},
        {"template": "hello", "data": {"name": "Zoë", "code": "42"}},
        {"to": ["zoe@example.com", "max@example.com"]},
    ],
    ids=["its template does not say so", "no category", "two readers"],
)
async def test_mail_that_nobody_alone_can_stop_has_no_link(shop: House, fields: dict[str, object]) -> None:
    assert await link(shop, **fields) is None


async def test_a_callers_own_link_is_left_alone(shop: House) -> None:
    taken = await shop.send(template="news", data={}, headers={"List-Unsubscribe": "<https://shop.example/u/1>"})
    await shop.final(taken["id"])
    raw = next(iter(shop.capture.messages)).raw.decode()
    assert raw.count("List-Unsubscribe") == 1
    assert "https://shop.example/u/1" in raw


async def test_the_page_speaks_the_readers_language(shop: House) -> None:
    """That of the mail, whose words may be in no other; the browser's where the mail's is not among ours."""
    parts = {"subject.txt": "News", "body.txt": "News.\n", "locales/fr/subject.txt": "Nouvelles"}
    body = {"parts": parts, "settings": {"category": "nouvelles", "unsubscribe": True, "locale": "nl"}}
    answer = await shop.http.put("/v1/templates/nouvelles", params={"publish": True}, json=body)
    assert answer.status_code == 200, answer.text
    path = await link(shop, template="nouvelles", locale="fr-CA")
    assert path is not None
    page = await shop.http.get(path, headers={"accept-language": "de-DE,de;q=0.9,en;q=0.8"})
    assert '<html lang="fr">' in page.text
    assert "Ne plus envoyer de messages « <b>nouvelles</b> » à zoe@example.com ?" in page.text
    assert "<button>Me désabonner</button>" in page.text
    assert "ne recevra plus" in (await shop.http.post(path)).text
    other = await link(shop, template="nouvelles", to="max@example.com", locale="nl")
    assert other is not None
    german = await shop.http.get(other, headers={"accept-language": "xx, de-DE;q=0.9"})
    assert "Keine Nachrichten zu <b>nouvelles</b> mehr an max@example.com senden?" in german.text
    assert '<html lang="en">' in (await shop.http.get(other, headers={"accept-language": "*"})).text


async def test_a_link_that_was_cut_off_is_told_as_a_page(shop: House) -> None:
    path = await link(shop)
    assert path is not None
    page = await shop.http.get(path[:-3], headers={"accept-language": "es"})
    assert (page.status_code, "Este enlace no funciona" in page.text) == (404, True)
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_scanners_of_links_stop_nothing(shop: House) -> None:
    """They look with any method that is safe, more than once, and follow what they find."""
    path = await link(shop)
    assert path is not None
    for method in ("HEAD", "GET", "OPTIONS", "GET"):
        page = await shop.http.request(method, path)
        assert page.status_code in (200, 405)
    assert not re.search(r"(?:href|src|action|http-equiv)=", page.text)
    assert (await shop.http.get("/v1/suppressions")).json()["data"] == []


async def test_a_link_cannot_be_made_up(shop: House) -> None:
    path = await link(shop)
    assert path is not None
    for forged in (path[:-1], path[:-4] + "AAAA", "/unsubscribe/AAAA", "/unsubscribe/%C3%A4", path + "A"):
        assert (await shop.http.post(forged)).status_code == 404, forged
        assert (await shop.http.get(forged)).status_code == 404, forged
    assert (await shop.http.get("/v1/suppressions")).json()["data"] == []


async def test_without_a_public_address_there_is_no_link(house: House) -> None:
    body = {"parts": {"subject.txt": "x", "body.txt": "x\n"}, "settings": {"category": "news", "unsubscribe": True}}
    await house.http.put("/v1/templates/news", params={"publish": True}, json=body)
    assert await link(house) is None


async def test_a_template_that_was_deleted_still_sends_what_was_accepted_with_its_link(shop: House) -> None:
    await shop.stop()
    taken = await shop.send(template="news", data={})
    assert (await shop.http.delete("/v1/templates/news")).status_code == 204
    await shop.go_on()
    assert (await shop.final(taken["id"]))["status"] == "sent"
    assert b"List-Unsubscribe: <" in shop.capture.messages[-1].raw
