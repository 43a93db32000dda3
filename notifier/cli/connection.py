"""Where the service is and what key opens it, for commands that speak to it over HTTP."""

from typing import Annotated

import typer

from notifier.client import Notifier
from notifier.domain.errors import ConfigurationError

LOCAL = "http://127.0.0.1:8000"

Url = Annotated[str, typer.Option("--url", envvar="NOTIFIER_URL", help="Where the service is.")]
Key = Annotated[
    str | None, typer.Option("--key", envvar="NOTIFIER_API_KEY", help="An API key.", show_envvar=True, metavar="KEY")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def connect(url: str, key: str | None) -> Notifier:
    """A client, to be closed."""
    return Notifier(url, opening(url, key))


def opening(url: str, key: str | None) -> str:
    """The key to use: the one given, else that of the settings (`.env`, NOTIFIER_API_KEY_FILE)."""
    if key is None:
        from notifier.settings import read_settings

        given = read_settings().api_key
        key = given.get_secret_value() if given is not None else None
    if not key:
        raise ConfigurationError("there is no API key: give --key, or set NOTIFIER_API_KEY")
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"--url {url}: write http://HOST:PORT or https://HOST")
    return key
