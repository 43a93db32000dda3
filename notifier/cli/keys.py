"""notifier keys: on this machine's database, or over HTTP with --url."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from notifier.cli.connection import AsJson, Key, connect
from notifier.cli.running import with_store
from notifier.client import Key as TheirKey
from notifier.domain.errors import ConfigurationError, NotFound
from notifier.domain.key import MODES, SCOPES, new_key

if TYPE_CHECKING:
    from notifier.store.store import Store

commands = typer.Typer(no_args_is_help=True, help="API keys.")

Url = Annotated[
    str | None,
    typer.Option("--url", envvar="NOTIFIER_URL", help="Ask the service there, in place of opening its database."),
]


@commands.command()
def create(
    name: Annotated[str, typer.Argument(help="Who will use it.")],
    mode: Annotated[str, typer.Option(help="live, team or test.")] = "live",
    scope: Annotated[list[str] | None, typer.Option(help="May be given more than once; all by default.")] = None,
    project: Annotated[str | None, typer.Option(help="The project it belongs to: default, if none is named.")] = None,
    rate_limit: Annotated[int | None, typer.Option(help="Requests per minute.", min=1)] = None,
    from_domain: Annotated[list[str] | None, typer.Option(help="Domains it may send from.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Make a key and print it: it is shown this once."""
    if mode not in MODES:
        raise ConfigurationError(f"--mode {mode}: one of {', '.join(MODES)}")
    for given in scope or ():
        if given not in SCOPES:
            raise ConfigurationError(f"--scope {given}: one of {', '.join(SCOPES)}")
    scopes = [one for one in SCOPES if not scope or one in scope]
    if url is not None:
        _of_the_keys_own(project)
        more: dict[str, Any] = {"rate_limit": rate_limit, "from_domains": from_domain or None}
        with connect(url, key) as client:
            made = client.create_key(name, mode=mode, scopes=scopes, **more)
        _show_secret(made.secret or "", as_json, {"id": made.id, "mode": mode, "name": name})
        return
    home = project or "default"
    new, secret = new_key(
        name, mode=mode, project=home, scopes=scopes, rate_limit=rate_limit, from_domains=tuple(from_domain or ())
    )

    async def work(store: "Store") -> None:
        await store.add_key(new)
        _show_secret(secret, as_json, {"id": new.id, "project": home, "mode": mode, "name": name})

    with_store(work)


def _show_secret(secret: str, as_json: bool, told: Mapping[str, Any]) -> None:
    print(json.dumps({**told, "key": secret}) if as_json else secret)


def _of_the_keys_own(project: str | None) -> None:
    if project is not None:
        raise ConfigurationError("--project: over HTTP the project is that of the key that asks")


@commands.command("list")
def list_(
    project: Annotated[str | None, typer.Option(help="Only this project's.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Every key, without its secret."""
    if url is not None:
        _of_the_keys_own(project)
        with connect(url, key) as client:
            listed = client.keys()
            for found in listed:
                _show(_told(found), as_json)
        return

    async def work(store: "Store") -> None:
        for found in await store.keys(project):
            told = {
                "id": found.id,
                "name": found.name,
                "project": found.project,
                "mode": found.mode,
                "prefix": found.prefix,
                "scopes": sorted(found.scopes),
                "revoked": found.revoked_at is not None,
            }
            _show(told, as_json)

    with_store(work)


def _told(found: TheirKey) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "mode": found.mode,
        "prefix": found.prefix,
        "scopes": sorted(found.scopes),
        "revoked": found.revoked,
    }


def _show(told: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(told))
        return
    ended = "  revoked" if told["revoked"] else ""
    shown = (value for name, value in told.items() if name not in ("scopes", "revoked"))
    print("  ".join(str(value) for value in shown) + f"  {','.join(told['scopes'])}{ended}")


@commands.command()
def revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The key's id, from `keys list`.")],
    url: Url = None,
    key: Key = None,
) -> None:
    """End a key, within a second everywhere."""
    if url is not None:
        with connect(url, key) as client:
            client.revoke_key(id_)
        return

    async def work(store: "Store") -> None:
        if not await store.revoke_key(id_):
            raise NotFound(f"there is no live key {id_}; `notifier keys list` shows them")

    with_store(work)
