"""send and status: notifications over HTTP."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from notifier.cli.connection import LOCAL, AsJson, Key, Url, connect
from notifier.cli.data import read_data
from notifier.cli.timeline import draw, follow
from notifier.client import Notification
from notifier.domain.errors import ConfigurationError

WELL = frozenset({"sent", "delivered", "scheduled", "queued", "deferred", "sending"})
"""Statuses that are no failure; `suppressed`, `canceled` and the like were not what was asked for."""

Watch = Annotated[bool, typer.Option("--watch", help="Draw the timeline until nothing more happens.")]
Timeout = Annotated[float, typer.Option(help="With --watch: seconds to wait for the end.", min=0)]


def register(application: typer.Typer) -> None:
    application.command()(send)
    application.command()(status)


def send(
    template: Annotated[str, typer.Argument(help="The template's name.")],
    to: Annotated[
        list[str] | None, typer.Option(help="A reader. May be given more than once: one mail to all.")
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="NAME=TEXT, or NAME:=JSON; a.b=... is inside of a.", metavar="NAME=VALUE")
    ] = None,
    data_file: Annotated[str | None, typer.Option(help="A JSON file; - is standard input.", metavar="FILE")] = None,
    csv: Annotated[
        Path | None, typer.Option(help="A mail for each row: to (and name, locale, reference), the rest is data.")
    ] = None,
    results: Annotated[
        Path | None, typer.Option(help="With --csv: what came of each row, and where to go on. FILE.results.csv.")
    ] = None,
    locale: Annotated[str | None, typer.Option(help="The reader's language: fr-CA.")] = None,
    send_at: Annotated[str | None, typer.Option(help="When, with an offset: 2026-01-31T09:00:00+01:00.")] = None,
    reference: Annotated[str | None, typer.Option(help="Your own name for it.")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key again sends nothing twice.")] = None,
    watch: Watch = False,
    timeout: Timeout = 300.0,
    as_json: AsJson = False,
    url: Url = LOCAL,
    key: Key = None,
) -> None:
    """Send a notification, or one to each row of a CSV file."""
    if (csv is None) == (not to):
        raise ConfigurationError("say whom to send to: --to ADDRESS, or --csv FILE")
    fields: dict[str, Any] = {"data": read_data(data or (), data_file)}
    fields |= {"locale": locale} if locale else {}
    fields |= {"send_at": send_at} if send_at else {}
    if csv is not None:
        if watch or idempotency_key or reference:
            raise ConfigurationError("--watch, --idempotency-key and --reference are for one notification, not --csv")
        from notifier.cli.people import send_to_people

        with connect(url, key) as client:
            summary = send_to_people(client, csv, results, {"template": template, **fields})
        print(json.dumps(summary.as_json()) if as_json else summary)
        raise typer.Exit(1 if summary.refused else 0)
    fields |= {"reference": reference} if reference else {}
    with connect(url, key) as client:
        sent = client.send(template, idempotency_key=idempotency_key, to=to or [], **fields)
        if watch:
            _end(follow(client, sent, timeout, quiet=as_json), as_json)
        _say(sent, as_json)


def _say(one: Notification, as_json: bool) -> None:
    print(json.dumps(one.raw, ensure_ascii=False) if as_json else f"{one.id}  {one.status}")


def status(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The notification's id.")],
    watch: Watch = False,
    timeout: Timeout = 300.0,
    as_json: AsJson = False,
    url: Url = LOCAL,
    key: Key = None,
) -> None:
    """Where a notification stands, and what happened to it."""
    with connect(url, key) as client:
        found = client.get(id_)
        if watch:
            _end(follow(client, found, timeout, quiet=as_json), as_json)
        if as_json:
            _end(found, as_json)
        draw(found, client.events(id_), sys.stdout)
        raise typer.Exit(_code(found))


def _end(one: Notification, as_json: bool) -> None:
    """Exits with what it came to."""
    if as_json:
        _say(one, as_json)
    raise typer.Exit(_code(one))


def _code(one: Notification) -> int:
    return 0 if one.status in WELL else 1
