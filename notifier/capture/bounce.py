"""The delivery status notification (RFC 3464) that a mail server would send back."""

from datetime import UTC, datetime
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, make_msgid
from re import search

from notifier.capture.message import Captured


def delivery_status(message: Captured, rcpt: str, code: int, text: str, hostname: str) -> bytes:
    """A multipart/report that says that `message` did not reach `rcpt`, with the message's headers attached
    (RFC 3462), CRLF line ends. The envelope it belongs in is the null sender to the message's sender."""
    report = MIMEMultipart("report", report_type="delivery-status")
    report["From"] = f"Mail Delivery System <MAILER-DAEMON@{hostname}>"
    report["To"] = message.mail_from
    report["Subject"] = "Undelivered Mail Returned to Sender"
    report["Date"] = format_datetime(datetime.now(UTC))
    report["Message-ID"] = make_msgid(domain=hostname)
    report["Auto-Submitted"] = "auto-replied"
    report.attach(MIMEText(f"Your message could not be delivered to {rcpt}:\n\n{code} {text}\n", _charset=None))
    report.attach(_status(rcpt, code, text, hostname))
    report.attach(_returned_headers(message))
    return report.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _status(rcpt: str, code: int, text: str, hostname: str) -> MIMEMessage:
    enhanced = search(r"\b[45]\.\d{1,3}\.\d{1,3}\b", text)
    status = enhanced.group() if enhanced else f"{code // 100}.0.0"
    whole, one = MIMENonMultipart("text", "plain"), MIMENonMultipart("text", "plain")
    for part in (whole, one):
        del part["Content-Type"], part["MIME-Version"]
    whole["Reporting-MTA"] = f"dns; {hostname}"
    one["Final-Recipient"] = f"rfc822; {rcpt}"
    one["Action"] = "failed" if code >= 500 else "delayed"
    one["Status"] = status
    one["Diagnostic-Code"] = f"smtp; {code} {' '.join(text.split())}"
    part = MIMEMessage(whole, "delivery-status")
    part.get_payload().append(one)  # type: ignore[union-attr]
    return part


def _returned_headers(message: Captured) -> MIMENonMultipart:
    part = MIMENonMultipart("text", "rfc822-headers")
    part.set_payload(message.raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("ascii", "replace") + "\n")
    return part
