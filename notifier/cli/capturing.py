"""The capture server as a process of its own."""

from collections.abc import Sequence

from notifier.capture import Capture, Captured
from notifier.capture.answers import Released
from notifier.capture.pages import standalone_app
from notifier.domain.errors import ConfigurationError
from notifier.server import bind, listen, url_of
from notifier.web import docs


async def run_capture(host: str, smtp_port: int, http_port: int, keep: int) -> None:
    server = Capture(host, smtp_port, keep=keep)
    listening = bind(host, http_port, option="--http-port")
    try:
        await server.start()
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"cannot listen on {host}:{smtp_port}: {error.strerror}; --smtp-port takes another"
        ) from None
    app = standalone_app(server.messages, server.faults, _release)
    docs.install(app, app.openapi)

    def started() -> None:
        url = url_of(listening)
        print(f"SMTP   {server.host}:{server.port}\ninbox  {url}/inbox", flush=True)
        print(f"API    {url}/inbox/api/messages\ndocs   {url}/docs", flush=True)

    try:
        # Whoever waits for a mail over HTTP is told at once that none will come.
        await listen(app, listening, started=started, stopping=server.messages.close)
    finally:
        await server.stop()


async def _release(message: Captured, to: Sequence[str]) -> Released:
    from notifier.cli.releasing import release  # it takes a second to import, and few let anything go

    return await release(message, to)
