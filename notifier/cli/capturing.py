"""The capture server as a process of its own."""

from notifier.capture import Capture
from notifier.capture.pages import standalone_app
from notifier.domain.errors import ConfigurationError
from notifier.server import bind, listen


async def run_capture(host: str, smtp_port: int, http_port: int, keep: int) -> None:
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
