"""Opening a session: connect, TLS, EHLO, AUTH. The only module that knows aiosmtplib and its errors."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable

import aiosmtplib

from notifier.domain.lifecycle import RelayTrouble, Stage
from notifier.mail.relay.replies import trouble
from notifier.mail.relay.settings import RelaySettings
from notifier.mail.relay.wire import Lost, Wire, WireError, printable, take_over

_SECRET_FIRST = ("plain", "login", "cram-md5")
"""Over TLS the simplest is the best: no server has to keep the password readable for it."""
_CLEAR = ("cram-md5", "plain", "login")


class Troubled(Exception):
    """The relay cannot be used now."""

    def __init__(self, trouble: RelayTrouble) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble


class Session:
    """An open session and what the relay offered in it.

    `messages` counts the transactions begun. `unanswered` counts replies that a transaction left to be read, `open`
    says that it left an envelope behind: `settle` cleans up both.
    """

    __slots__ = ("idle_since", "messages", "open", "pipelining", "size", "size_limit", "smtputf8", "unanswered", "wire")

    def __init__(self, wire: Wire, extensions: dict[str, str], pipelining: bool) -> None:
        self.wire = wire
        self.pipelining = pipelining and "pipelining" in extensions
        self.smtputf8 = "smtputf8" in extensions
        self.size = "size" in extensions
        limit = extensions.get("size", "")
        self.size_limit = int(limit) if limit.isdecimal() else 0  # 0: none told (RFC 1870 3)
        self.messages = 0
        self.idle_since = 0.0
        self.open = False
        self.unanswered = 0

    @property
    def usable(self) -> bool:
        """Connected, and the next reply will belong to the next command."""
        return self.wire.clean and not self.open and not self.unanswered

    def abort(self, reason: str) -> None:
        """Close at once, without a word."""
        self.wire.fail(Lost(reason))

    async def settle(self, within: float) -> bool:
        """After a transaction that did not get to its final dot: read what is left and RSET. False: hang up."""
        try:
            async with asyncio.timeout(within):
                code = 0
                while self.unanswered:
                    code, _ = await self.wire.reply(within)
                    self.unanswered -= 1
                    if code < 300:  # MAIL was refused and this recipient taken: a dot could send an empty mail
                        return False
                if code == 354:
                    # DATA was pipelined and answered 354 though nobody is left to receive: a lone dot ends it and
                    # gets its 5xx (RFC 2920 3.1).
                    self.wire.write(b".\r\n")
                    if (await self.wire.reply(within))[0] < 400:
                        return False
                self.wire.write(b"RSET\r\n")
                self.open = False
                return (await self.wire.reply(within))[0] == 250
        except (WireError, TimeoutError):
            return False

    async def quit(self, within: float) -> None:
        """Say goodbye and close. What the relay makes of it changes nothing."""
        try:
            self.wire.write(b"QUIT\r\n")
            await self.wire.reply(within)
        except WireError:
            pass
        finally:
            self.abort("closed")


class Door:
    """Opens sessions. One TLS context for all of them: making one costs some 40 ms."""

    def __init__(self, settings: RelaySettings) -> None:
        self._settings = settings
        self._local_hostname = settings.local_hostname
        self._tls: ssl.SSLContext | None = None
        if settings.starttls or settings.ssl_tls:
            self._tls = ssl.create_default_context()
            if not settings.validate_certs:
                self._tls.check_hostname = False
                self._tls.verify_mode = ssl.CERT_NONE

    async def open(self) -> Session:
        """A session ready for MAIL. Raises `Troubled`; cancelled, it leaves nothing open."""
        settings = self._settings
        if settings.use_credentials and self._tls is None and not settings.allow_plaintext_auth:
            text = "credentials are set and TLS is not: set MAIL_STARTTLS or MAIL_SSL_TLS, they do not go in clear text"
            raise Troubled(RelayTrouble("tls", Stage.AUTH, text, configuration=True))
        if self._local_hostname is None:
            self._local_hostname = await asyncio.to_thread(socket.getfqdn)
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            local_hostname=self._local_hostname,
            timeout=settings.timeout,
            use_tls=settings.ssl_tls,
            start_tls=False,
            tls_context=self._tls,
        )
        try:
            await self._introduce(client)
            if client.transport is None:
                raise Troubled(RelayTrouble("unreachable", Stage.EHLO, "the relay closed the connection"))
            return Session(
                take_over(client.transport, asyncio.get_running_loop()), client.esmtp_extensions, settings.pipelining
            )
        except BaseException:
            client.close()
            raise

    async def _introduce(self, client: aiosmtplib.SMTP) -> None:
        await self._at(Stage.CONNECT, client.connect())
        await self._ehlo(client)
        if self._settings.starttls:
            if not client.supports_extension("starttls"):
                text = "the relay does not offer STARTTLS and MAIL_STARTTLS is set: nothing is sent in clear text"
                raise Troubled(RelayTrouble("tls", Stage.STARTTLS, text, configuration=True))
            await self._at(Stage.STARTTLS, client.starttls())
            await self._ehlo(client)  # RFC 3207 4.2: what was offered before TLS does not count
        if self._settings.use_credentials:
            await self._at(Stage.AUTH, self._authenticate(client))

    async def _ehlo(self, client: aiosmtplib.SMTP) -> None:
        try:
            await self._at(Stage.EHLO, client.ehlo())
        except Troubled as error:
            reply = error.trouble.reply
            extended = self._settings.starttls or self._settings.use_credentials
            if extended or reply is None or reply.code not in (500, 502):
                raise
            await self._at(Stage.EHLO, client.helo())  # a server from before ESMTP (RFC 5321 3.2)

    async def _authenticate(self, client: aiosmtplib.SMTP) -> object:
        """With the best mechanism offered, and with no other after it: each failure counts towards a lock-out."""
        username, password = self._settings.username or "", self._settings.password or ""
        offered = client.server_auth_methods
        mechanism = next((m for m in (_SECRET_FIRST if self._tls else _CLEAR) if m in offered), None)
        match mechanism:
            case "plain":
                return await client.auth_plain(username, password)
            case "login":
                return await client.auth_login(username, password)
            case "cram-md5":
                return await client.auth_crammd5(username, password)
        told = f"only {', '.join(offered).upper()}" if offered else "no AUTH"
        text = f"the relay offers {told}, and USE_CREDENTIALS is set: PLAIN, LOGIN or CRAM-MD5 would do"
        raise Troubled(RelayTrouble("auth", Stage.AUTH, text, configuration=True))

    async def _at(self, stage: Stage, step: Awaitable[object]) -> None:
        try:
            await step
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            # ValueError: hostnames and credentials that cannot be put into a command.
            raise Troubled(self._trouble(stage, error)) from error

    def _trouble(self, stage: Stage, error: Exception) -> RelayTrouble:
        """aiosmtplib's and the system's errors in our words."""
        where = self._settings.name
        if isinstance(error, aiosmtplib.SMTPResponseException) and 200 <= error.code < 600:
            return trouble(stage, error.code, error.message.encode("utf-8", "surrogateescape"))
        if isinstance(error, aiosmtplib.SMTPResponseException):
            text = f"{where} does not speak SMTP: {printable(error.message.encode('utf-8', 'surrogateescape'))[:120]}"
            return RelayTrouble("refused", stage, text)
        if isinstance(error, TimeoutError):
            doing = "connection" if stage is Stage.CONNECT else f"answer to {stage.upper()}"
            return RelayTrouble("unreachable", stage, f"no {doing} from {where} within {self._settings.timeout:g} s")
        cause = error.__cause__ if isinstance(error, aiosmtplib.SMTPConnectError) and error.__cause__ else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            text = f"the certificate of {where} is not valid: {cause.verify_message}"
            return RelayTrouble("tls", Stage.STARTTLS, text, configuration=True)
        if isinstance(cause, ssl.SSLError):
            reason = cause.reason or str(cause)
            plain = reason == "WRONG_VERSION_NUMBER"
            hint = "; the port may want MAIL_STARTTLS in place of MAIL_SSL_TLS" if plain else ""
            return RelayTrouble("tls", Stage.STARTTLS, f"no TLS with {where}: {reason}{hint}", configuration=plain)
        if isinstance(cause, socket.gaierror):
            text = f"the name {self._settings.host} (MAIL_SERVER) does not resolve: {cause.strerror}"
            return RelayTrouble("unreachable", stage, text)
        if isinstance(cause, ConnectionRefusedError):
            return RelayTrouble("unreachable", stage, f"{where} refuses connections: nothing listens there")
        if isinstance(cause, ValueError):
            return RelayTrouble("refused", stage, f"{stage.upper()} cannot be sent: {cause}", configuration=True)
        return RelayTrouble("unreachable", stage, f"{where}: {cause}")
