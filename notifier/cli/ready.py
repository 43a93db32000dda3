"""notifier ready: for health checks. Asks with what Python brings along, which is there at once."""

import sys
from http.client import HTTPException
from typing import Annotated
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import typer

from notifier.cli.connection import LOCAL

_PATIENCE = 8.0  # seconds; a container's health check is usually given ten


def register(application: typer.Typer) -> None:
    application.command()(ready)


def ready(
    url: Annotated[str, typer.Option(help="Where the service is.", envvar="NOTIFIER_URL")] = LOCAL,
) -> None:
    """Ask a running service whether it is ready: exit 0 if it is, 1 if not."""
    try:
        status, text = _ask(f"{url.rstrip('/')}/readyz")
    except (OSError, HTTPException, ValueError) as error:
        print(f"not ready: {getattr(error, 'reason', None) or error}", file=sys.stderr)
        raise typer.Exit(1) from None
    print(text)
    raise typer.Exit(0 if status == 200 else 1)


def _ask(url: str) -> tuple[int, str]:
    """Without the environment's proxy: it is asked from beside the service."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url}: write http://HOST:PORT or https://HOST")
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=_PATIENCE) as answer:
            return answer.status, answer.read().decode("utf-8", "replace")
    except HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode("utf-8", "replace")
