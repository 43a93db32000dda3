"""What doctor looks at, step by step. Nothing is made or changed."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from notifier import records
from notifier.app.relay import dkim_of, probe_as_sender, relay_settings
from notifier.app.storage import open_store
from notifier.app.templates import shipped_templates
from notifier.domain.errors import ConfigurationError, NotifierError
from notifier.mail.address import envelope_address
from notifier.records import Sending
from notifier.settings import Settings

_PATIENCE = 20.0  # seconds for each step with the relay: somebody sits and waits

Step = tuple[str, str, str, str]
"""Its name, the verdict, what was found, what to do."""


async def examine(settings: Settings, to: str | None) -> AsyncIterator[Step]:
    for step in await _database(settings):
        yield step
    yield _templates(settings)
    async for step in _relay(settings, to):
        yield step
    if not settings.suppress_send:
        async for step in _records(settings):
            yield step


async def _database(settings: Settings) -> list[Step]:
    """The database, its schema and its keys."""
    name = settings.database_url.rpartition("@")[2]  # without the password
    if settings.is_sqlite and not (file := Path(settings.database_url.partition("///")[2])).exists():
        if file.parent.is_dir():
            return [("database", "ok", f"{file} will be made when notifier starts", ""), _bootstrap(settings)]
        return [("database", "failed", f"{file.parent} is no folder", "make it, or change NOTIFIER_DATABASE_URL")]
    try:
        async with open_store(settings) as store:
            if not await store.is_ready():
                advice = "run `notifier db upgrade`"
                return [("database", "ok", name, ""), ("schema", "failed", "is not current", advice)]
            live = [key for key in await store.keys() if key.revoked_at is None]
    except NotifierError as error:
        return [("database", "failed", str(error), "check NOTIFIER_DATABASE_URL, and that the database runs")]
    keys = ("keys", "ok", f"{len(live)} in use", "") if live else _bootstrap(settings)
    return [("database", "ok", name, ""), ("schema", "ok", "is current", ""), keys]


def _bootstrap(settings: Settings) -> Step:
    if settings.api_key is not None:
        return ("keys", "ok", "NOTIFIER_API_KEY is set", "")
    return ("keys", "warning", "there is no API key", "set NOTIFIER_API_KEY, or run `notifier keys create NAME`")


def _templates(settings: Settings) -> Step:
    folder = settings.templates_dir
    if folder.is_dir():
        count = sum(1 for each in folder.iterdir() if each.is_dir() and each.name[0] not in "._")
        return ("templates", "ok" if count else "warning", f"{count} in {folder.resolve()}", "")
    if "templates_dir" in settings.model_fields_set:
        advice = "`notifier templates new NAME` makes a first one"
        return ("templates", "failed", f"NOTIFIER_TEMPLATES_DIR: {folder} is no folder", advice)
    return ("templates", "ok", f"those that come with notifier ({shipped_templates()})", "")


async def _relay(settings: Settings, to: str | None) -> AsyncIterator[Step]:
    if settings.suppress_send:
        yield ("relay", "skipped", "SUPPRESS_SEND is set: mail is captured", "")
        return
    if not settings.mail_server:
        advice = "name your relay; `notifier demo` does without one"
        yield ("relay", "failed", "MAIL_SERVER is not set", advice)
        return
    relay = relay_settings(settings)
    relay = replace(relay, timeout=min(relay.timeout, _PATIENCE))
    async for finding in probe_as_sender(relay, settings, to):
        yield (finding.step, finding.verdict, finding.said, finding.advice)


async def _records(settings: Settings) -> AsyncIterator[Step]:
    """What the DNS says of the domain that mail is from."""
    try:
        dkim = dkim_of(settings)
    except ConfigurationError as error:
        yield ("dkim", "failed", str(error), "")
        return
    domain = _domain(settings.mail_from)
    bounces = _domain(settings.bounce_address) if settings.bounce_address else None
    sending = Sending(
        domain,
        bounces or domain,
        settings.mail_server,
        dkim.keys_of(settings.mail_from) if dkim else (),
        bounces if settings.bounce_port is not None else None,
    )
    async for finding in records.examine(sending):
        yield (finding.step, finding.verdict, finding.said, finding.advice)
    if dkim and not sending.keys:
        yield ("dkim", "warning", f"NOTIFIER_DKIM_KEYS has no key for {domain}", "name one, or mail goes out unsigned")


def _domain(address: str) -> str:
    return envelope_address(address).rpartition("@")[2]
