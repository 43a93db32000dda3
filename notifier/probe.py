"""Test this relay: step by step, each with the server's own words and what to do about them.

The last step sends a mail with fastapi-mail, over a connection of its own, as the programs do that notifier takes the
work from: what gets through there and not through the relay's pool is worth knowing.
"""

import asyncio
import math
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Literal

from notifier.domain.errors import NotifierError
from notifier.domain.lifecycle import RelayTrouble, Reply, Stage
from notifier.domain.notification import Address
from notifier.mail.address import AddressError, envelope_address, needs_smtputf8
from notifier.mail.relay import RelaySettings
from notifier.mail.relay.replies import positive, read
from notifier.mail.relay.session import Door, Session, Troubled
from notifier.mail.relay.wire import WireError

StepName = Literal["settings", "dns", "connect", "tls", "auth", "mail", "message"]
Verdict = Literal["ok", "warning", "failed", "skipped"]

SUBJECT = "A test mail from notifier"
_BODY = (
    'This mail was sent by `notifier doctor` (or by somebody who pressed "Test this relay").\n\n'
    "If you can read it, the relay takes mail from notifier, and it arrives.\n"
)
_GOODBYE = 1.0  # seconds for RSET and QUIT, whose answers change nothing

_AT: dict[Stage, StepName] = {
    Stage.CONNECT: "connect",
    Stage.EHLO: "connect",
    Stage.STARTTLS: "tls",
    Stage.AUTH: "auth",
    Stage.MAIL: "mail",
}
_ADVICE: dict[str, str] = {
    "connect": "check MAIL_SERVER and MAIL_PORT, and that a firewall lets this machine out to them",
    "tls": "check MAIL_STARTTLS and MAIL_SSL_TLS against what the relay offers at this port",
    "auth": "check MAIL_USERNAME and MAIL_PASSWORD; many providers want an app password or an API key here",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one step came to. `said` is what the server said, or what was found where no server spoke; `advice` is a
    sentence about what to do, empty where there is nothing to be done."""

    step: StepName
    verdict: Verdict
    said: str
    advice: str = ""


async def probe(
    relay: RelaySettings, sender: Address, to: str | None, *, signs: bool = False
) -> AsyncIterator[Finding]:
    """Goes through the steps and yields what came of each as soon as it is known; stops at the first that failed.

    `sender` is who the mail is from. Without `to` no mail is sent, and the relay is only asked about the sender.
    `signs`: other mail is signed with keys of ours, which this one, not being built by us, is not; that is told.
    """
    relay = replace(relay, local_hostname=relay.local_hostname or await asyncio.to_thread(socket.getfqdn))
    yield _settings(relay, sender)
    named = await _dns(relay)
    yield named
    if named.verdict == "failed":
        return
    try:
        session = await Door(relay).open()
    except Troubled as error:
        for finding in _up_to(relay, error.trouble):
            yield finding
        return
    for finding in _opened(relay, session):
        yield finding
    asked = await _ask(session, relay, sender, to)
    yield asked
    if to is None:
        yield Finding("message", "skipped", "no mail was sent", "name an address to send a test mail to")
    elif asked.verdict == "ok":
        yield await _send(relay, sender, to, signs)


def _settings(relay: RelaySettings, sender: Address) -> Finding:
    """What can be seen without asking anybody. Only hints: the next steps tell what is really wrong."""
    domain = sender.email.rpartition("@")[2]
    hints = []
    if relay.port == 465 and not relay.ssl_tls:
        hints.append("port 465 speaks TLS from the first byte: set MAIL_SSL_TLS=1")
    if relay.port == 587 and not (relay.starttls or relay.ssl_tls):
        hints.append("port 587 is meant for STARTTLS: set MAIL_STARTTLS=1")
    if (relay.starttls or relay.ssl_tls) and not relay.validate_certs:
        hints.append("VALIDATE_CERTS=0 lets anybody in between pose as the relay")
    if "." not in domain:
        hints.append(f"mail from {sender.email} is refused nearly everywhere: set MAIL_FROM")
    said = f"{relay.name}, {_security(relay)}, from {sender.email}"
    return Finding("settings", "warning" if hints else "ok", said, "; ".join(hints))


def _security(relay: RelaySettings) -> str:
    tls = "TLS from the first byte" if relay.ssl_tls else "STARTTLS" if relay.starttls else "no TLS"
    return f"{tls}, {f'as {relay.username}' if relay.use_credentials else 'without credentials'}"


async def _dns(relay: RelaySettings) -> Finding:
    try:
        async with asyncio.timeout(relay.timeout):
            found = await asyncio.get_running_loop().getaddrinfo(relay.host, relay.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        said = f"no answer about {relay.host} within {relay.timeout:g} s"
        return Finding("dns", "failed", said, "check the resolver of this machine")
    except (OSError, UnicodeError) as error:
        said = f"{relay.host}: {getattr(error, 'strerror', None) or error}"
        return Finding("dns", "failed", said, "check the spelling of MAIL_SERVER, and the resolver of this machine")
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return Finding("dns", "ok", f"{relay.host} is {', '.join(addresses)}")


def _opened(relay: RelaySettings, session: Session) -> list[Finding]:
    offers = [
        *(["PIPELINING"] if session.pipelining else []),
        *(["SMTPUTF8"] if session.smtputf8 else []),
        *([f"SIZE {session.size_limit}"] if session.size_limit else []),
    ]
    words = f"{relay.name} answers and offers {', '.join(offers)}" if offers else f"{relay.name} answers"
    return [Finding("connect", "ok", words), _tls(relay), _auth(relay)]


def _tls(relay: RelaySettings) -> Finding:
    if not (relay.starttls or relay.ssl_tls):
        return Finding("tls", "skipped", "mail goes in clear text, as it is set")
    checked = f"the certificate is good for {relay.host}" if relay.validate_certs else "the certificate is not checked"
    return Finding("tls", "ok", checked)


def _auth(relay: RelaySettings) -> Finding:
    if not relay.use_credentials:
        return Finding("auth", "skipped", "no credentials are set")
    return Finding("auth", "ok", f"the relay knows {relay.username}")


def _up_to(relay: RelaySettings, trouble: RelayTrouble) -> list[Finding]:
    """The steps before the trouble, which were well, and the trouble."""
    step = _AT[trouble.stage]
    if step == "tls" and relay.ssl_tls:  # the handshake comes before any word of SMTP
        before = [Finding("connect", "ok", f"{relay.name} takes connections")]
    elif step == "tls":
        before = [Finding("connect", "ok", f"{relay.name} answers")]
    elif step == "auth":
        before = [Finding("connect", "ok", f"{relay.name} answers"), _tls(relay)]
    else:
        before = []
    return [*before, Finding(step, "failed", trouble.text, _advice(step, trouble))]


def _advice(step: StepName, trouble: RelayTrouble) -> str:
    if trouble.kind == "throttled":
        return "the relay asks for patience: try again in some minutes"
    if "certificate" in trouble.text:
        return (
            "name the relay in MAIL_SERVER as its certificate does, or have its authority trusted on this machine; "
            "VALIDATE_CERTS=0 trusts anybody"
        )
    return _ADVICE[step]


async def _ask(session: Session, relay: RelaySettings, sender: Address, to: str | None) -> Finding:
    """MAIL and RCPT, taken back by RSET: what the relay thinks of sender and reader before any mail exists."""
    try:
        parameter = _parameter(session, sender.email, *([to] if to else []))
        commands = [f"MAIL FROM:<{envelope_address(sender.email)}>{parameter}"]
        if to is not None:
            commands.append(f"RCPT TO:<{envelope_address(to)}>")
        answer = Reply(0, None, "")
        for command in commands:
            session.wire.write(f"{command}\r\n".encode())
            raw = await session.wire.reply(relay.timeout)
            answer = read(raw)
            if not positive(raw):
                return _refused("mail", command, answer)
        return Finding("mail", "ok", str(answer))
    except (WireError, AddressError, _NotOffered) as error:
        return Finding("mail", "failed", str(error))
    finally:
        session.wire.write(b"RSET\r\n")
        try:
            await session.wire.reply(_GOODBYE)
        except WireError:
            session.abort("closed")
        await session.quit(_GOODBYE)


class _NotOffered(NotifierError):
    pass


def _parameter(session: Session, *emails: str) -> str:
    if not any(needs_smtputf8(email) for email in emails):
        return ""
    if not session.smtputf8:
        raise _NotOffered("an address is not ASCII before its @-sign, and the relay does not offer SMTPUTF8")
    return " SMTPUTF8"


def _refused(step: StepName, command: str, answer: Reply) -> Finding:
    said = f"{command}: {answer}"
    if answer.code < 500:
        return Finding(step, "warning", said, "this is for now: notifier would keep the mail and try again")
    if answer.code == 530:
        return Finding(step, "failed", said, "the relay wants credentials or TLS first")
    if command.startswith("MAIL"):
        return Finding(step, "failed", said, "use a MAIL_FROM that this account may send as")
    return Finding(step, "failed", said, "the relay does not take mail for this reader: check the address, or relaying")


async def _send(relay: RelaySettings, sender: Address, to: str, signs: bool) -> Finding:
    # 0.13 s to import, and few processes test their relay.
    from fastapi_mail import ConnectionConfig, FastMail, MessageSchema, MessageType
    from pydantic import NameEmail, SecretStr

    # Built without validation: it would read TIMEOUT and LOCAL_HOSTNAME from the environment, and refuse addresses at
    # .local and .test. All values were checked where they came in.
    config = ConnectionConfig.model_construct(
        MAIL_USERNAME=relay.username or "",
        MAIL_PASSWORD=SecretStr(relay.password or ""),
        MAIL_SERVER=relay.host,
        MAIL_PORT=relay.port,
        MAIL_STARTTLS=relay.starttls,
        MAIL_SSL_TLS=relay.ssl_tls,
        MAIL_FROM=envelope_address(sender.email),
        MAIL_FROM_NAME=sender.name or None,
        USE_CREDENTIALS=relay.use_credentials,
        VALIDATE_CERTS=relay.validate_certs,
        TIMEOUT=math.ceil(relay.timeout),
        LOCAL_HOSTNAME=relay.local_hostname,
    )
    message = MessageSchema.model_construct(
        recipients=[NameEmail("", envelope_address(to))],
        subject=SUBJECT,
        body=_BODY,
        subtype=MessageType.plain,
        headers={"Auto-Submitted": "auto-generated"},
    )
    try:
        await FastMail(config).send_message(message)
    except Exception as error:  # noqa: BLE001 -- whatever fastapi-mail and what is under it raise is the finding
        return _not_sent(error)
    advice = "look whether it arrives, and not in the spam"
    if signs:
        advice += "; unlike other mail, it is not signed with NOTIFIER_DKIM_KEYS"
    return Finding("message", "ok", f"the relay took a mail to {to}", advice)


def _not_sent(error: Exception) -> Finding:
    match error.args:
        case (int() as code, str() as text, *_):  # a reply of the server's
            return _refused("message", "DATA", read((code, text.encode("utf-8", "surrogateescape"))))
        case ([first, *_],) if isinstance(first, Exception):  # one such error for each recipient
            return _not_sent(first)
    return Finding("message", "failed", str(error) or type(error).__name__, "the steps before this one went well")
