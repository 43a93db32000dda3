"""demo, serve, api, worker, capture: what runs until it is stopped."""

from pathlib import Path
from typing import Annotated

import typer

from notifier.cli.running import run

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)]


def register(application: typer.Typer) -> None:
    for command in (demo, serve, api, worker, capture):
        application.command()(command)


def demo(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    smtp_port: Annotated[int, typer.Option(help="The port of the captured relay.", min=0, max=65535)] = 1025,
    templates_dir: Annotated[
        Path | None, typer.Option("--templates", help="Your own folder, read again when you save.", file_okay=False)
    ] = None,
    sample: Annotated[bool, typer.Option(help="Send a sample at the start.")] = True,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the inbox in a browser.")] = False,
) -> None:
    """Everything in one process, with a built-in inbox: nothing leaves this machine."""
    from notifier.demo import run_demo

    run(run_demo(host, port, smtp_port, templates_dir, sample=sample, open_browser=open_browser))


def serve(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """API and dispatcher in one process."""
    _serve(host, port, api=True, worker=True)


def api(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """The API alone, beside any number of others (PostgreSQL)."""
    _serve(host, port, api=True, worker=False)


def worker(host: Host = "127.0.0.1", port: Port = 8001) -> None:
    """The dispatcher alone, beside any number of others (PostgreSQL). Serves /livez, /readyz and /metrics."""
    _serve(host, port, api=False, worker=True)


def _serve(host: str, port: int, *, api: bool, worker: bool) -> None:
    from notifier.app.service import Roles
    from notifier.serving import run_service
    from notifier.settings import read_settings
    from notifier.telemetry import configure_logging

    settings = read_settings()
    configure_logging(settings.log_level, settings.log_format)
    run(run_service(settings, Roles(api=api, worker=worker), host, port))


def capture(
    host: Host = "127.0.0.1",
    smtp_port: Annotated[int, typer.Option(help="The port that mail comes to.", min=0, max=65535)] = 1025,
    http_port: Annotated[int, typer.Option(help="The port of the inbox and its API.", min=0, max=65535)] = 8025,
    keep: Annotated[int, typer.Option(help="How many mails to keep.", min=1)] = 1000,
) -> None:
    """A mail server that keeps what it gets and misbehaves as it is told: for tests in any language."""
    from notifier.cli.capturing import run_capture
    from notifier.telemetry import configure_logging

    configure_logging("warning", "auto")
    run(run_capture(host, smtp_port, http_port, keep))
