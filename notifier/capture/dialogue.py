"""What the server says to each command, with the faults and the ledger worked in.

aiosmtpd calls a ``handle_*`` hook when a command is well-formed and in its place, and sends what the hook returns: so a
fault that counts RCPTs counts those that would have been accepted, and nothing else.
"""

from typing import Any

from aiosmtpd.smtp import MISSING, SMTP, Envelope, TLSSetupException
from aiosmtpd.smtp import Session as PeerSession

from notifier.capture.bounce import delivery_status
from notifier.capture.connection import Connection, Verbatim
from notifier.capture.faults import Bounce, reply
from notifier.capture.ledger import Transaction


class Dialogue(Connection):
    """A connection that leads the dialogue of RFC 5321."""

    async def handle_EHLO(
        self, _server: SMTP, session: PeerSession, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str | Verbatim]:
        self._transaction = None
        if (answer := await self._meet("ehlo")) is not None:
            return [answer]
        session.host_name = hostname
        keywords = [response[4:] for response in responses[1:-1] if not response.startswith("250-AUTH")]
        if self._terms.users is not None and (self.record.tls or not self._terms.require_tls):
            keywords.append("AUTH LOGIN PLAIN")
        if self._terms.pipelining:
            keywords.append("PIPELINING")
        hidden = self._faults.hidden() | (set() if self._terms.eight_bit_mime else {"8BITMIME"})
        offered = [keyword for keyword in keywords if keyword.split()[0] not in hidden]
        return [reply(250, "\n".join([self.hostname, *offered, "HELP"]))]

    async def handle_HELO(self, _server: SMTP, session: PeerSession, _envelope: Envelope, hostname: str) -> Any:
        self._transaction = None
        if (answer := await self._meet("ehlo")) is not None:
            return answer
        session.host_name = hostname
        return f"250 {self.hostname}"

    async def smtp_STARTTLS(self, arg: str) -> None:
        if "STARTTLS" in self._faults.hidden() or not self.tls_context or self.record.tls:
            await self.push("502 5.5.1 STARTTLS not implemented")
        elif not arg and (answer := await self._meet("starttls")) is not None:
            await self.push(answer)
        else:
            try:
                await super().smtp_STARTTLS(arg)
            except TLSSetupException:
                pass  # the client did not like the certificate, or does not speak TLS
            finally:
                if self._tls_protocol is not None and not self.record.tls:
                    self.abort()
                    self._leave()  # `connection_lost` is for connections whose handshake was done

    def handle_STARTTLS(self, _server: SMTP, _session: PeerSession, _envelope: Envelope) -> bool:
        self.record.tls = True
        return True

    async def handle_AUTH(self, _server: SMTP, _session: PeerSession, _envelope: Envelope, _args: list[str]) -> Any:
        if self._terms.users is None:
            return "502 5.5.1 AUTH not implemented"
        if self._terms.require_tls and not self.record.tls:
            return "538 5.7.11 Encryption required for requested authentication mechanism"
        answer = await self._meet("auth")
        return MISSING if answer is None else answer

    async def handle_MAIL(
        self, _server: SMTP, session: PeerSession, envelope: Envelope, address: str, options: list[str]
    ) -> Any:
        if self._terms.users is not None and not session.authenticated:
            return "530 5.7.0 Authentication required"
        sender = "" if address == "<>" else address
        self._transaction = self._ledger.began(self.record, sender, tuple(options))
        if (answer := await self._meet("mail")) is not None:
            return answer
        envelope.mail_from = address  # "<>" stays here: the base takes an empty sender for none
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(
        self, _server: SMTP, _session: PeerSession, envelope: Envelope, address: str, _options: list[str]
    ) -> Any:
        transaction = self._current()
        transaction.stage = "rcpt"
        if (answer := await self._meet("rcpt", (address,))) is not None:
            transaction.refused[address] = answer if isinstance(answer, str) else answer.decode("utf-8", "replace")
            return answer
        transaction.accepted.append(address)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def smtp_DATA(self, arg: str) -> None:
        if self._transaction is not None and self._transaction.accepted and not arg:
            self._transaction.stage = "data"
            rcpts = tuple(self._transaction.accepted)
            if (answer := await self._meet("data", rcpts)) is not None:
                await self.push(answer)
                return
            if (action := self._faults.next("body", self._transaction.mail_from, rcpts)) is not None:
                await self.push("354 End data with <CR><LF>.<CR><LF>")
                await self._reader.read(1)
                await self._carry_out(action)
        await super().smtp_DATA(arg)

    async def handle_DATA(self, _server: SMTP, _session: PeerSession, envelope: Envelope) -> Any:
        transaction = self._current()
        transaction.stage, transaction.reply, transaction.body = "dot", None, envelope.original_content
        if self._command is not None:
            self._command.reply = None  # the 354 was the answer to DATA, not to the dot
        action = self._faults.next("dot", transaction.mail_from, transaction.accepted)
        usual = "250 2.0.0 Ok"
        if action is None or action.keep:
            usual = f"250 2.0.0 Ok: kept as {self._keep(transaction)}"
        answer = await self._carry_out(action)
        return usual if answer is None else answer

    async def handle_RSET(self, _server: SMTP, _session: PeerSession, _envelope: Envelope) -> Any:
        self._transaction = None
        answer = await self._meet("rset")
        return "250 2.0.0 Ok" if answer is None else answer

    async def handle_QUIT(self, _server: SMTP, _session: PeerSession, _envelope: Envelope) -> Any:
        self._transaction = None
        answer = await self._meet("quit")
        return "221 2.0.0 Bye" if answer is None else answer

    def _current(self) -> Transaction:
        assert self._transaction is not None, "the base takes no RCPT and no DATA before MAIL"  # noqa: S101
        return self._transaction

    def _keep(self, transaction: Transaction) -> str:
        """Puts the message into the store, and the bounces that it shall have after it."""
        message = self._messages.add(transaction.mail_from, transaction.accepted, transaction.body or b"")
        transaction.captured = message.id
        for rcpt in transaction.accepted:
            match self._faults.next("bounce", transaction.mail_from, (rcpt,)):
                case Bounce(code, text) if transaction.mail_from:  # no bounce of a bounce, RFC 5321 4.5.5
                    report = delivery_status(message, rcpt, code, text, self.hostname)
                    self._messages.add("", (transaction.mail_from,), report)
        return message.id
