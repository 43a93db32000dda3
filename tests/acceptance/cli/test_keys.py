"""`notifier keys`, over HTTP and on the database of this machine."""

import json
from pathlib import Path

import pytest

from notifier.client import Notifier, Unauthenticated
from notifier.testing.server import NotifierServer
from tests.acceptance.cli.conftest import Command
from tests.support.command import Ended, run


def listed(told: Ended) -> dict[str, dict[str, object]]:
    """By name."""
    assert told.code == 0, told
    return {one["name"]: one for one in map(json.loads, told.out.splitlines())}


def test_a_key_is_made_listed_and_ended_over_http(notifier: Command, notifier_server: NotifierServer) -> None:
    made = notifier("keys", "create", "shop", "--scope", "send", "--scope", "read", "--json")
    told = json.loads(made.out)
    assert (told["name"], told["mode"], told["key"][:9]) == ("shop", "live", "ntf_live_")
    one = listed(notifier("keys", "list", "--json"))["shop"]
    assert (one["id"], one["scopes"], one["revoked"]) == (told["id"], ["read", "send"], False)
    assert told["key"].startswith(str(one["prefix"]))
    assert told["key"] not in notifier("keys", "list").out
    assert notifier("keys", "revoke", told["id"]).code == 0
    assert "revoked" in next(line for line in notifier("keys", "list").out.splitlines() if told["id"] in line)
    with Notifier(notifier_server.url, told["key"]) as shop, pytest.raises(Unauthenticated):
        shop.get("some-id")


def test_a_key_is_made_on_the_database_of_this_machine(tmp_path: Path) -> None:
    here = {"NOTIFIER_DATABASE_URL": f"sqlite:///{tmp_path / 'notifier.db'}"}
    made = run("keys", "create", "shop", "--mode", "test", "--project", "books", cwd=tmp_path, **here)
    assert made.code == 0, made
    assert made.out.startswith("ntf_test_")
    one = listed(run("keys", "list", "--json", cwd=tmp_path, **here))["shop"]
    assert (one["project"], one["mode"], one["revoked"]) == ("books", "test", False)
    assert run("keys", "revoke", str(one["id"]), cwd=tmp_path, **here).code == 0
    again = run("keys", "revoke", str(one["id"]), cwd=tmp_path, **here)
    assert (again.code, "there is no live key" in again.err) == (1, True)


def test_a_database_that_a_service_has_for_itself_is_not_touched(
    notifier_server: NotifierServer, home: Path, tmp_path: Path
) -> None:
    refused = run("keys", "list", cwd=tmp_path, NOTIFIER_DATABASE_URL=f"sqlite:///{home / 'notifier.db'}")
    assert refused.code == 2, refused
    assert "speak to it over HTTP" in refused.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "x", "--mode", "loud"), "--mode loud: one of "),
        (("create", "x", "--scope", "fly"), "--scope fly: one of "),
        (("create", "x", "--project", "books"), "--project: over HTTP the project is that of the key that asks"),
        (("create", "x", "--rate-limit", "0"), "--rate-limit"),
        (("create",), "name"),
    ],
)
def test_what_is_asked_wrongly_ends_with_2(notifier: Command, arguments: tuple[str, ...], said: str) -> None:
    refused = notifier("keys", *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err
