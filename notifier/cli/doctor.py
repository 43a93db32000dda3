"""notifier doctor: is everything there that serve needs, and does the relay take mail?"""

from typing import Annotated

import typer

from notifier.cli.running import run
from notifier.domain.errors import ConfigurationError

_MARKS = {"ok": "✓", "warning": "!", "failed": "✗", "skipped": "-"}


def register(application: typer.Typer) -> None:
    application.command()(doctor)


def doctor(
    to: Annotated[str | None, typer.Option(help="Send a test mail there.", metavar="ADDRESS")] = None,
) -> None:
    """Check settings, database, templates, keys and the relay, step by step: exit 0 if all is well, 1 if not."""
    from notifier.mail.address import AddressError, check_email
    from notifier.settings import read_settings

    settings = read_settings()
    if to is not None:
        try:
            to = check_email(to)
        except AddressError as error:
            raise ConfigurationError(f"--to {to}: {error.reason}") from None
    from notifier.cli.examination import examine
    from notifier.telemetry import configure_logging

    configure_logging("error", "auto")
    verdicts: list[str] = []

    async def examining() -> None:
        async for step, verdict, said, advice in examine(settings, to):
            verdicts.append(verdict)
            print(f"{_MARKS[verdict]} {step:<10} {said}", flush=True)
            if advice:
                print(f"  {'':<10} → {advice}", flush=True)

    run(examining())
    raise typer.Exit(1 if "failed" in verdicts else 0)
