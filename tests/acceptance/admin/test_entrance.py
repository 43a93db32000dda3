"""Who gets into the admin pages, and who may ask for what."""

from typing import Any

import httpx2 as httpx
import pytest

from notifier.app.service import Service
from notifier.settings import Settings
from notifier.web.admin.passwords import Throttle
from notifier.web.admin.sessions import new_link
from tests.acceptance.admin.conftest import PASSWORD, Visit
from tests.acceptance.conftest import House, MakeHouse


async def test_the_password_of_the_settings_signs_admin_in_with_a_cookie_that_scripts_cannot_read(visit: Visit) -> None:
    client = await visit()
    answer = await client.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD, "then": "/admin/keys"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/keys")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert (await client.get("/admin/keys")).status_code == 200


async def test_over_https_the_cookie_is_for_this_host_and_tls_alone(make_house: MakeHouse) -> None:
    house = await make_house(NOTIFIER_ADMIN_PASSWORD=PASSWORD, NOTIFIER_PUBLIC_URL="https://mail.example.com")
    async with house.browser() as client:
        answer = await client.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD})
    (cookie,) = [line for line in answer.headers.get_list("set-cookie") if "Max-Age=43200" in line]
    assert cookie.startswith("__Host-notifier_session=")
    assert "Secure" in cookie
    assert "Path=/;" in cookie
    assert "Domain" not in cookie


async def test_nobody_is_led_to_another_site_after_signing_in(visit: Visit) -> None:
    client = await visit()
    for then in ("https://elsewhere.invalid/", "//elsewhere.invalid/", "/admin/\\elsewhere", "/inbox"):
        answer = await client.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD, "then": then})
        assert answer.headers["location"] == "/admin/"


async def test_signing_in_makes_a_new_session_and_signing_out_ends_it_on_the_server(visit: Visit) -> None:
    client = await visit("admin")
    first = client.cookies["notifier_session"]
    await client.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD})
    second = client.cookies["notifier_session"]
    assert second != first
    await client.post("/admin/sign-out")
    for old in (first, second):
        answer = await (await visit()).get("/admin/", headers={"cookie": f"notifier_session={old}"})
        assert answer.status_code == 303
        assert answer.headers["location"] == "/admin/sign-in?then=/admin/"


async def test_guessing_is_slowed_down_and_says_when_to_come_back(visit: Visit) -> None:
    client = await visit()
    answers = [
        (await client.post("/admin/sign-in", data={"name": "admin", "password": f"guess {n}"})).status_code
        for n in range(12)
    ]
    assert answers == [401] * 10 + [429] * 2
    right = await client.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD})
    assert right.status_code == 429
    assert 0 < int(right.headers["retry-after"]) <= 31


def test_a_try_comes_back_after_half_a_minute() -> None:
    now = 0.0
    throttle = Throttle(lambda: now)
    for _ in range(10):
        assert throttle.wait("name:admin") == 0
        throttle.failed("name:admin")
    assert throttle.wait("name:admin") == pytest.approx(30.0)
    assert throttle.wait("name:other") == 0
    now = 30.0
    assert throttle.wait("name:admin") == 0


async def test_a_link_signs_in_once_and_looking_at_it_uses_nothing_up(house: House, visit: Visit) -> None:
    office = house.service.office
    user = await office.store.add_user("mei", "viewer")
    path = await new_link(office.store, office, user)
    client = await visit()
    assert (await client.get(path)).status_code == 200
    answer = await client.post(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/account")
    assert (await client.get("/admin/")).status_code == 200
    assert (await (await visit()).post(path)).status_code == 410


async def test_a_link_is_no_cookie(house: House, visit: Visit) -> None:
    office = house.service.office
    path = await new_link(office.store, office, await office.store.add_user("mei", "viewer"))
    token = path.rpartition("/")[2]
    client = await visit()
    for cookie in (token, f"link:{token}"):
        answer = await client.get("/admin/", headers={"cookie": f"notifier_session={cookie}"})
        assert answer.status_code == 303
    assert (await client.post(path)).status_code == 303


async def test_without_a_password_there_is_a_first_link_and_with_one_there_is_none(make_house: MakeHouse) -> None:
    house = await make_house()
    path = await house.service.admin_link()
    assert path is not None
    async with house.browser() as client:
        await client.post(path)
        await client.post("/admin/account", data={"password": "a-long-enough-one"})
    assert await house.service.admin_link() is None


async def test_another_password_in_the_settings_is_the_password_and_ends_old_sessions(tmp_path: Any) -> None:
    def settings(password: str) -> Settings:
        given = {
            "NOTIFIER_DATABASE_URL": f"sqlite:///{tmp_path}/n.db",
            "NOTIFIER_ADMIN_PASSWORD": password,
            "SUPPRESS_SEND": "1",
        }
        return Settings.model_validate(given)

    async with Service(settings("the first password")) as service:
        (first,) = [await service.office.store.find_user("admin")]
    async with Service(settings("the first password")) as service:
        assert await service.office.store.find_user("admin") == first
    async with Service(settings("the second password")) as service:
        assert await service.office.store.find_user("admin") != first


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "https://elsewhere.invalid"},
        {"origin": "null"},
        {},
    ],
)
async def test_what_another_site_asks_for_is_refused(house: House, visit: Visit, headers: dict[str, str]) -> None:
    cookie = (await visit("admin")).cookies["notifier_session"]
    async with httpx.AsyncClient(base_url=house.url, headers=headers) as client:
        asked = await client.post(
            "/admin/pauses", data={"scope": "all"}, headers={"cookie": f"notifier_session={cookie}"}
        )
    assert asked.status_code == 403
    assert not await house.service.store.pauses("default")


async def test_an_old_browser_that_names_our_origin_is_served(house: House, visit: Visit) -> None:
    cookie = (await visit("admin")).cookies["notifier_session"]
    async with httpx.AsyncClient(base_url=house.url, headers={"origin": house.url}) as client:
        headers = {"cookie": f"notifier_session={cookie}"}
        assert (await client.post("/admin/pauses", data={"scope": "all"}, headers=headers)).status_code == 303


ROLES = {
    # what is asked for: who gets it
    ("GET", "/admin/"): {"viewer", "editor", "admin"},
    ("GET", "/admin/notifications"): {"viewer", "editor", "admin"},
    ("GET", "/admin/templates/hello"): {"viewer", "editor", "admin"},
    ("POST", "/admin/pauses"): {"editor", "admin"},
    ("POST", "/admin/templates/hello/publish/1"): {"editor", "admin"},
    ("GET", "/admin/keys"): {"admin"},
    ("POST", "/admin/keys"): {"admin"},
    ("GET", "/admin/relay"): {"admin"},
    ("POST", "/admin/users"): {"admin"},
    ("GET", "/admin/audit"): {"admin"},
}


@pytest.mark.parametrize("role", ["viewer", "editor", "admin", None])
async def test_each_role_may_do_what_it_says(house: House, visit: Visit, role: Any) -> None:
    client = await visit()
    if role is not None:
        office = house.service.office
        await client.post(await new_link(office.store, office, await office.store.add_user("somebody", role)))
    for (method, path), allowed in ROLES.items():
        answer = await client.request(method, path, data={"scope": "all"} if method == "POST" else None)
        if role is None:
            assert (answer.status_code, answer.headers["location"][:14]) == (303, "/admin/sign-in")
        else:
            assert (answer.status_code != 403) == (role in allowed), (method, path)


async def test_somebody_has_to_stay_admin_and_who_is_disabled_is_out_at_once(house: House, visit: Visit) -> None:
    admin = await visit("admin")
    office = house.service.office
    mei = await office.store.add_user("mei", "editor")
    other = await visit()
    await other.post(await new_link(office.store, office, mei))
    answer = await admin.post("/admin/users/change", data={"id": mei.id, "role": "editor", "disabled": "yes"})
    assert answer.status_code == 303
    assert (await other.get("/admin/")).status_code == 303
    (me,) = [user for user in await office.store.users() if user.name == "admin"]
    answer = await admin.post("/admin/users/change", data={"id": me.id, "role": "viewer", "disabled": "no"})
    assert answer.status_code == 409
    assert (await admin.get("/admin/users")).status_code == 200


async def test_every_page_comes_with_a_strict_policy_and_is_kept_by_nobody(visit: Visit) -> None:
    client = await visit("admin")
    for path in ("/admin/", "/admin/templates/hello", "/admin/no-such-page", "/admin/sign-in/x"):
        headers = (await client.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self';" in policy
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


async def test_what_was_changed_is_in_the_audit_log(visit: Visit) -> None:
    client = await visit("admin")
    await client.post("/admin/pauses", data={"scope": "template:hello", "reason": "later"})
    page = (await client.get("/admin/audit")).text
    assert "session.begin" in page
    assert "template:hello" in page
