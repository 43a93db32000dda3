"""notifier db: the schema, and what a restored backup needs."""

from typing import TYPE_CHECKING, Annotated

import typer

from notifier.cli.running import run, with_store

if TYPE_CHECKING:
    from notifier.store.store import Store

commands = typer.Typer(no_args_is_help=True, help="The database.")

_RESTORED = "held after a backup was restored: it may have been sent since that backup was made"


@commands.command()
def upgrade() -> None:
    """Bring the schema to the newest version. Safe when several start at once."""
    from notifier.app.storage import open_store
    from notifier.settings import read_settings
    from notifier.telemetry import configure_logging

    settings = read_settings()
    configure_logging(settings.log_level, settings.log_format)

    async def upgrading() -> None:
        async with open_store(settings) as store:
            await store.migrate()
        print("the schema is current")

    run(upgrading())


@commands.command()
def hold(
    reason: Annotated[str, typer.Option(help="What the timelines say.")] = _RESTORED,
) -> None:
    """Hold all mail that is not out yet, until it is retried: after a backup was restored, before anything starts."""

    async def holding(store: "Store") -> None:
        print(f"held: {await store.hold(reason)}")

    with_store(holding)
