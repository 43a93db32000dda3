"""demo, serve, api, worker, capture: what runs until it is stopped. And ready, which asks after it."""

import sys
from pathlib import Path
from typing import Annotated

import httpx2 as httpx
import typer

from notifier.app import Roles
from notifier.capture import Capture
from notifier.capture.pages import standalone_app
from notifier.cli.running import run
from notifier.domain.errors import ConfigurationError
from notifier.server import bind, listen
from notifier.settings import read_settings
from notifier.telemetry import configure_logging

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(help="The port to listen on.", min=0, max=65535)]


def register(application: typer.Typer) -> None:
    for command in (demo, serve, api, worker, capture, ready):
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
    _serve(Roles(api=True, worker=True), host, port)


def api(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """The API alone, beside any number of others (PostgreSQL)."""
    _serve(Roles(api=True, worker=False), host, port)


def worker(host: Host = "127.0.0.1", port: Port = 8001) -> None:
    """The dispatcher alone, beside any number of others (PostgreSQL). Serves /livez, /readyz and /metrics."""
    _serve(Roles(api=False, worker=True), host, port)


def _serve(roles: Roles, host: str, port: int) -> None:
    from notifier.serving import run_service

    settings = read_settings()
    configure_logging(settings.log_level, settings.log_format)
    run(run_service(settings, roles, host, port))


def capture(
    host: Host = "127.0.0.1",
    smtp_port: Annotated[int, typer.Option(help="The port that mail comes to.", min=0, max=65535)] = 1025,
    http_port: Annotated[int, typer.Option(help="The port of the inbox and its API.", min=0, max=65535)] = 8025,
    keep: Annotated[int, typer.Option(help="How many mails to keep.", min=1)] = 1000,
) -> None:
    """A mail server that keeps what it gets and misbehaves as it is told: for tests in any language."""
    configure_logging("warning", "auto")
    run(_capture(host, smtp_port, http_port, keep))


async def _capture(host: str, smtp_port: int, http_port: int, keep: int) -> None:
    server = Capture(host, smtp_port, keep=keep)
    listening = bind(host, http_port)
    try:
        await server.start()
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"cannot listen on {host}:{smtp_port}: {error.strerror}; --smtp-port takes another"
        ) from None

    def started() -> None:
        inbox = "http://{}:{}/inbox".format(*listening.getsockname()[:2])
        print(f"SMTP   {server.host}:{server.port}\ninbox  {inbox}\nAPI    {inbox}/api/messages", flush=True)

    try:
        # Whoever waits for a mail over HTTP is told at once that none will come.
        await listen(
            standalone_app(server.messages, server.faults), listening, started=started, stopping=server.messages.close
        )
    finally:
        await server.stop()


def ready(
    url: Annotated[str, typer.Option(help="Where the service is.", envvar="NOTIFIER_URL")] = "http://127.0.0.1:8000",
) -> None:
    """Ask a running service whether it is ready: exit 0 if it is, 1 if not."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}/readyz", timeout=3.0, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        print(f"not ready: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    print(answer.text)
    raise typer.Exit(0 if answer.status_code == 200 else 1)
