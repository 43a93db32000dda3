"""Reports as mail servers write them: of our own making, in the shapes of the servers they are named after."""

# ruff: noqa: E501 - a server's sentence stays on its line

from collections.abc import Callable

RETURN_PATH = "bounces+token@mail.example.com"
ORIGINAL = """\
Received: from mail.example.com (mail.example.com [192.0.2.1])
\tby mx.example.net with ESMTPS; Fri, 30 Jan 2026 08:12:44 +0000
From: The shop <shop@example.com>
To: Zoe <zoe@example.net>
Subject: Your order A-1001
Date: Fri, 30 Jan 2026 08:12:44 +0000
Message-ID: <0199f3a1-5b7e-7000-8a11-3f0c8f1c2d3e@example.com>
X-Notifier-Id: 0199f3a1-5b7e-7000-8a11-3f0c8f1c2d3e
"""


def _wire(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def report(
    head: str,
    prose: str,
    fields: str,
    *,
    original: str = ORIGINAL,
    kind: str = "text/rfc822-headers",
    encoding: str = "",
) -> bytes:
    """A multipart/report of three parts (RFC 3462)."""
    encoded = f"Content-Transfer-Encoding: {encoding}\n" if encoding else ""
    return _wire(
        f"""{head}To: {RETURN_PATH}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary="=_report"

This is a MIME-encapsulated message.

--=_report
Content-Type: text/plain; charset=us-ascii

{prose}
--=_report
Content-Description: Delivery report
Content-Type: message/delivery-status
{encoded}
{fields}
--=_report
Content-Type: {kind}

{original}
--=_report--
"""
    )


def postfix(
    status: str,
    diagnosis: str,
    *,
    action: str = "failed",
    to: str = "zoe@example.net",
    original: str = "",
    more: str = "",
) -> bytes:
    named = f"Original-Recipient: rfc822;{original}\n" if original else ""
    subject = {"delayed": "Delayed Mail (still being retried)", "delivered": "Successful Mail Delivery Report"}
    return report(
        "From: MAILER-DAEMON@mx.relay.example (Mail Delivery System)\n"
        f"Subject: {subject.get(action, 'Undelivered Mail Returned to Sender')}\nAuto-Submitted: auto-replied\n",
        f"This is the mail system at host mx.relay.example.\n\n<{to}>: host mx.example.net[192.0.2.7] said:\n    {diagnosis}",
        "Reporting-MTA: dns; mx.relay.example\nX-Postfix-Queue-ID: 4XyZ1k3Qz9\n"
        f"X-Postfix-Sender: rfc822; {RETURN_PATH}\nArrival-Date: Fri, 30 Jan 2026 08:12:44 +0000 (UTC)\n\n"
        f"Final-Recipient: rfc822; {to}\n{named}Action: {action}\nStatus: {status}\n"
        f"Remote-MTA: dns; mx.example.net\nDiagnostic-Code: smtp; {diagnosis}\n{more}",
    )


def exim(status: str, diagnosis: str, *, to: str = "zoe@example.net") -> bytes:
    return report(
        f"X-Failed-Recipients: {to}\nAuto-Submitted: auto-replied\n"
        "From: Mail Delivery System <Mailer-Daemon@exim.example>\n"
        "Subject: Mail delivery failed: returning message to sender\n",
        f"This message was created automatically by mail delivery software.\n\n  {to}\n    host mx.example.net: {diagnosis}",
        f"Reporting-MTA: dns; exim.example\n\nAction: failed\nFinal-Recipient: rfc822;{to}\nStatus: {status}\n"
        f"Remote-MTA: dns; mx.example.net\nDiagnostic-Code: smtp; {diagnosis}",
        kind="message/rfc822",
        original=ORIGINAL + "\nBody.",
    )


def exim_prose(
    reason: str, *, to: str = "zoe@example.net", subject: str = "Mail delivery failed: returning message"
) -> bytes:
    return _wire(
        f"""X-Failed-Recipients: {to}
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@old-exim.example>
To: {RETURN_PATH}
Subject: {subject}

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {to}
    {reason}

------ This is a copy of the message, including all the headers. ------

{ORIGINAL}
support@example.com
"""
    )


def exchange(
    status: str, diagnosis: str, *, to: str = "zoe@example.net", action: str = "failed", encoding: str = ""
) -> bytes:
    return report(
        "From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@corp.example>\n"
        "Subject: Undeliverable: Your order A-1001\nX-MS-Exchange-Message-Is-Ndr:\nAuto-Submitted: auto-replied\n",
        f"Delivery has failed to these recipients or groups:\n\n{to}\nThe email address you entered couldn't be found.",
        f"Reporting-MTA: dns;EX01.corp.example\nReceived-From-MTA: dns;mail.example.com\n"
        "Arrival-Date: Fri, 30 Jan 2026 08:12:44 +0000\n\n"
        f"Original-Recipient: rfc822;{to}\nFinal-Recipient: rfc822;{to}\nAction: {action}\nStatus: {status}\n"
        f"Diagnostic-Code: smtp;{diagnosis}\nX-Display-Name: Zoe",
        encoding=encoding,
    )


def gmail(status: str, diagnosis: str, *, action: str = "failed", to: str = "zoe@gmail.example") -> bytes:
    label = {"failed": "Failure", "delayed": "Delay"}[action]
    return report(
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\n"
        f"Subject: Delivery Status Notification ({label})\nAuto-Submitted: auto-replied\n"
        f"X-Failed-Recipients: {to}\nReferences: <0199f3a1-5b7e-7000-8a11-3f0c8f1c2d3e@example.com>\n",
        f"** Address not found **\n\nYour message wasn't delivered to {to}.",
        "Reporting-MTA: dns; googlemail.com\nArrival-Date: Fri, 30 Jan 2026 00:12:44 -0800 (PST)\n"
        "X-Original-Message-ID: <0199f3a1-5b7e-7000-8a11-3f0c8f1c2d3e@example.com>\n\n"
        f"Final-Recipient: rfc822; {to}\nAction: {action}\nStatus: {status}\n"
        f"Remote-MTA: dns; gmail-smtp-in.l.gmail.example. (192.0.2.9, the server for the domain.)\n"
        f"Diagnostic-Code: smtp; {diagnosis}\nLast-Attempt-Date: Fri, 30 Jan 2026 00:12:45 -0800 (PST)",
        kind="message/rfc822",
        original=ORIGINAL + "\nBody.",
    )


def outlook(status: str, diagnosis: str, *, to: str = "zoe@outlook.example") -> bytes:
    return report(
        "From: postmaster@outlook.com\nSubject: Undeliverable: Your order A-1001\nAuto-Submitted: auto-generated\n",
        f"Your message to {to} couldn't be delivered.",
        "Reporting-MTA: dns;AM0PR01MB4321.eurprd01.prod.outlook.example\nReceived-From-MTA: dns;mail.example.com\n\n"
        f"Final-Recipient: rfc822;{to}\nAction: failed\nStatus: {status}\nDiagnostic-Code: smtp;{diagnosis}",
    )


def yahoo(status: str, diagnosis: str, *, to: str = "zoe@yahoo.example") -> bytes:
    return report(
        "From: MAILER-DAEMON@yahoo.com\nSubject: Failure Notice\nAuto-Submitted: auto-replied\n",
        f"Sorry, we were unable to deliver your message to the following address.\n\n<{to}>:\n{diagnosis}",
        f"Reporting-MTA: dns; sonic.gate.mail.yahoo.example\n\nFinal-Recipient: rfc822; {to}\nAction: failed\n"
        f"Status: {status}\nDiagnostic-Code: smtp; {diagnosis}",
    )


def arf(kind: str, agent: str, *, to: str | None = "zoe@example.net", reader: str = "Zoe <zoe@example.net>") -> bytes:
    named = f"Original-Rcpt-To: {to}\n" if to else ""
    original = ORIGINAL.replace("Zoe <zoe@example.net>", reader)
    return _wire(
        f"""From: <feedback@loop.example>
To: bounces@mail.example.com
Subject: FW: Your order A-1001
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="=_arf"

--=_arf
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report for a message received from IP 192.0.2.1.

--=_arf
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: {agent}
Version: 1
Original-Mail-From: <{RETURN_PATH}>
{named}Arrival-Date: Fri, 30 Jan 2026 08:12:44 +0000
Source-IP: 192.0.2.1

--=_arf
Content-Type: message/rfc822
Content-Disposition: inline

{original}
Body.
--=_arf--
"""
    )


def jmrp(*, to: str = "zoe@hotmail.example") -> bytes:
    return _wire(
        f"""From: <staff@hotmail.com>
To: bounces@mail.example.com
Subject: complaint about message from 192.0.2.1
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_jmrp"

--=_jmrp
Content-Type: message/rfc822

X-HmXmrOriginalRecipient: <{to}>
{ORIGINAL}
Body.
--=_jmrp--
"""
    )


def qmail(reason: str, *, to: str = "zoe@example.net") -> bytes:
    return _wire(
        f"""From: MAILER-DAEMON@qmail.example
To: {RETURN_PATH}
Subject: failure notice

Hi. This is the qmail-send program at qmail.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{to}>:
{reason}

--- Below this line is a copy of the message.

Return-Path: <{RETURN_PATH}>
{ORIGINAL}
<somebody.else@example.org>:
"""
    )


def answer(subject: str, head: str, body: str, *, sender: str = "Zoe <zoe@example.net>") -> bytes:
    """What a person, or a person's mailbox, writes back."""
    return _wire(f"From: {sender}\nTo: {RETURN_PATH}\nSubject: {subject}\n{head}\n{body}\n")


Sample = tuple[str, Callable[[], bytes], tuple[str, str, str | None, bool] | None]

NOT_FOUND = "550 5.1.1 <zoe@example.net>: Recipient address rejected: User unknown in virtual mailbox table"

SAMPLES: list[Sample] = [
    # name, message, (said, recipient, enhanced code, hard) or None
    ("postfix, user unknown", lambda: postfix("5.1.1", NOT_FOUND), ("bounced", "zoe@example.net", "5.1.1", True)),
    ("postfix, full", lambda: postfix("5.2.2", "552 5.2.2 <zoe@example.net>: mailbox is full"),
     ("bounced", "zoe@example.net", "5.2.2", False)),
    ("postfix, no host", lambda: postfix("5.4.4", "X-Postfix; Host or domain name not found"),
     ("bounced", "zoe@example.net", "5.4.4", False)),
    ("postfix, expired", lambda: postfix("4.4.1", "X-Postfix; connect to mx.example.net: Connection timed out"),
     ("bounced", "zoe@example.net", "4.4.1", False)),
    ("postfix, delayed", lambda: postfix("4.4.1", "X-Postfix; Connection timed out", action="delayed"),
     ("delayed", "zoe@example.net", "4.4.1", False)),
    ("postfix, delivered", lambda: postfix("2.1.5", "250 2.1.5 Ok", action="delivered"),
     ("delivered", "zoe@example.net", "2.1.5", False)),
    ("postfix, relayed", lambda: postfix("2.0.0", "250 2.0.0 Ok", action="relayed"), None),
    ("postfix, forwarded", lambda: postfix("5.1.1", NOT_FOUND, to="z@elsewhere.test", original="zoe@example.net"),
     ("bounced", "zoe@example.net", "5.1.1", True)),
    ("postfix, xtext", lambda: postfix("5.1.1", NOT_FOUND, to="zoe+x@example.net", original="zoe+2Bx@example.net"),
     ("bounced", "zoe+x@example.net", "5.1.1", True)),
    ("postfix, spam", lambda: postfix("5.7.1", "554 5.7.1 Message rejected as spam: user unknown to us"),
     ("bounced", "zoe@example.net", "5.7.1", False)),
    ("postfix, sender's domain", lambda: postfix("5.1.8", "550 5.1.8 Sender address rejected: Domain not found"),
     ("bounced", "zoe@example.net", "5.1.8", False)),
    ("exim, unrouteable", lambda: exim("5.0.0", "550 Unrouteable address"),
     ("bounced", "zoe@example.net", "5.0.0", False)),
    ("exim, no such user", lambda: exim("5.0.0", "550 No such user here"),
     ("bounced", "zoe@example.net", "5.0.0", True)),
    ("exim, code in the reply", lambda: exim("5.0.0", "550 5.1.1 zoe@example.net unknown"),
     ("bounced", "zoe@example.net", "5.1.1", True)),
    ("exim, quota", lambda: exim("5.2.2", "552 5.2.2 quota exceeded"), ("bounced", "zoe@example.net", "5.2.2", False)),
    ("exim of old, unknown user", lambda: exim_prose("SMTP error from remote mail server after RCPT TO: 550 unknown user"),
     ("bounced", "zoe@example.net", None, True)),
    ("exim of old, refused", lambda: exim_prose("550 5.7.1 blocked by policy"),
     ("bounced", "zoe@example.net", "5.7.1", False)),
    ("exim of old, warning", lambda: exim_prose("retry timeout not reached", subject="Warning: message delayed 24 hours"),
     ("delayed", "zoe@example.net", None, False)),
    ("exchange, not found", lambda: exchange("5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found"),
     ("bounced", "zoe@example.net", "5.1.10", True)),
    ("exchange, vague status", lambda: exchange("5.5.0", "550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found"),
     ("bounced", "zoe@example.net", "5.1.1", True)),
    ("exchange, full", lambda: exchange("5.2.2", "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceeded"),
     ("bounced", "zoe@example.net", "5.2.2", False)),
    ("exchange, disabled", lambda: exchange("5.2.1", "550 5.2.1 mailbox disabled, not accepting messages"),
     ("bounced", "zoe@example.net", "5.2.1", True)),
    ("exchange, restricted group", lambda: exchange("5.7.124", "550 5.7.124 RESOLVER.RST.SenderNotInAllowedList"),
     ("bounced", "zoe@example.net", "5.7.124", False)),
    ("exchange, delayed", lambda: exchange("4.4.7", "400 4.4.7 Message delayed", action="delayed"),
     ("delayed", "zoe@example.net", "4.4.7", False)),
    ("exchange, 8bit fields", lambda: exchange("5.1.1", "550 5.1.1 User unknown", encoding="8bit"),
     ("bounced", "zoe@example.net", "5.1.1", True)),
    ("gmail, no account", lambda: gmail("5.1.1", "550-5.1.1 The email account that you tried to reach does not exist."),
     ("bounced", "zoe@gmail.example", "5.1.1", True)),
    ("gmail, disabled", lambda: gmail("5.2.1", "550-5.2.1 The email account that you tried to reach is disabled."),
     ("bounced", "zoe@gmail.example", "5.2.1", True)),
    ("gmail, full", lambda: gmail("4.2.2", "452-4.2.2 The email account that you tried to reach is over quota."),
     ("bounced", "zoe@gmail.example", "4.2.2", False)),
    ("gmail, delayed", lambda: gmail("4.4.1", "The recipient server did not accept our requests", action="delayed"),
     ("delayed", "zoe@gmail.example", "4.4.1", False)),
    ("gmail, policy", lambda: gmail("5.7.26", "550-5.7.26 This mail has been blocked because the sender is unauthenticated."),
     ("bounced", "zoe@gmail.example", "5.7.26", False)),
    ("outlook, no mailbox", lambda: outlook("5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)."),
     ("bounced", "zoe@outlook.example", "5.5.0", False)),
    ("outlook, no such user", lambda: outlook("5.1.1", "550 5.1.1 Unknown recipient"),
     ("bounced", "zoe@outlook.example", "5.1.1", True)),
    ("outlook, access denied", lambda: outlook("5.4.1", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)"),
     ("bounced", "zoe@outlook.example", "5.4.1", False)),
    ("outlook, throttled to the end", lambda: outlook("4.7.500", "451 4.7.500 Server busy. Please try again later"),
     ("bounced", "zoe@outlook.example", "4.7.500", False)),
    ("yahoo, no account", lambda: yahoo("5.0.0", "554 delivery error: dd This user doesn't have a yahoo.com account"),
     ("bounced", "zoe@yahoo.example", "5.0.0", True)),
    ("yahoo, over quota", lambda: yahoo("5.2.2", "552 1 Requested mail action aborted, mailbox not found or over quota"),
     ("bounced", "zoe@yahoo.example", "5.2.2", False)),
    ("yahoo, deferred to the end", lambda: yahoo("4.7.0", "421 4.7.0 [TSS04] Messages temporarily deferred"),
     ("bounced", "zoe@yahoo.example", "4.7.0", False)),
    ("yahoo, complaint", lambda: arf("abuse", "Yahoo!-Mail-Feedback/2.0", to="zoe@yahoo.example"),
     ("complained", "zoe@yahoo.example", None, False)),
    ("comcast, complaint", lambda: arf("abuse", "ReturnPathFBL/1.0"), ("complained", "zoe@example.net", None, False)),
    ("complaint, its reader redacted", lambda: arf("fraud", "Loop/1.0", to=None),
     ("complained", "zoe@example.net", None, False)),
    ("opt-out", lambda: arf("opt-out", "Loop/1.0"), ("unsubscribed", "zoe@example.net", None, False)),
    ("not spam after all", lambda: arf("not-spam", "Loop/1.0"), None),
    ("authentication failure report", lambda: arf("auth-failure", "Lua/1.0"), None),
    ("outlook, junk report", jmrp, ("complained", "zoe@hotmail.example", None, False)),
    ("qmail, no mailbox", lambda: qmail("Sorry, no mailbox here by that name. (#5.1.1)"),
     ("bounced", "zoe@example.net", "5.1.1", True)),
    ("qmail, remote refusal", lambda: qmail("192.0.2.7 does not like recipient.\nRemote host said: 554 rejected"),
     ("bounced", "zoe@example.net", None, False)),
    ("out of office", lambda: answer("Automatic reply: Your order A-1001", "Auto-Submitted: auto-replied\n",
     "I am out of the office. For urgent matters write to max@example.net."), None),
    ("out of office, Exchange", lambda: answer("Out of Office", "X-Auto-Response-Suppress: All\nPrecedence: bulk\n",
     "Undeliverable things wait. User unknown? 550 5.1.1"), None),
    ("out of office of a postmaster", lambda: answer("I am away", "Auto-Submitted: auto-replied\n", "<zoe@example.net>:",
     sender="postmaster@example.net"), None),
    ("an answer by a person", lambda: answer("Re: delivery failed?", "", "My parcel did not arrive: 550 5.1.1"), None),
    ("nothing", lambda: b"", None),
    ("noise", lambda: bytes(range(256)) * 20, None),
]  # fmt: skip
