"""The commands. Each ends with 0 when it did what it was asked, 1 when it could not, 2 when it was asked wrongly, 3
when it stopped waiting for an end.

What a command needs is imported when it runs: `ready` is asked every few seconds, and a shell that completes a word
waits for it. So no module that is imported here imports the application.
"""

import sys

import typer

from notifier import __version__
from notifier.cli import completion, database, doctor, keys, ready, sending, servers
from notifier.cli.late import late
from notifier.client import Invalid, NotFinal
from notifier.client import NotifierError as CallError
from notifier.domain.errors import ConfigurationError, NotifierError

application = typer.Typer(
    name="notifier", no_args_is_help=True, add_completion=False, help="The notification service.", rich_markup_mode=None
)
for module in (completion, servers, ready, sending, doctor):
    module.register(application)
application.add_typer(keys.commands, name="keys")
application.add_typer(database.commands, name="db")
application.add_typer(
    typer.Typer(no_args_is_help=True, help="Templates.", cls=late("notifier.cli.templates")), name="templates"
)


@application.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    """The entry point: what goes wrong on purpose is one sentence on standard error."""
    try:
        application()
    except (NotifierError, CallError) as error:
        print(f"notifier: {error}", file=sys.stderr)
        sys.exit(_exit_code(error))


def _exit_code(error: Exception) -> int:
    match error:
        case ConfigurationError() | Invalid():
            return 2
        case NotFinal():
            return 3
    return 1
