"""A service that speaks SMTP itself and knows nothing of notifier."""

import smtplib
import time
from email.message import EmailMessage


def alert(host: str, port: int, to: str, what: str, *, attempts: int = 3, pause: float = 5.0) -> None:
    """Writes to whoever is on call; tries again where the server says that it is busy."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "alerts@example.com", to, f"Alert: {what}"
    message.set_content(f"{what}\n\nDetails: https://status.example.com/alerts/1\nYour PIN to confirm is 4821.\n")
    for left in reversed(range(attempts)):
        try:
            with smtplib.SMTP(host, port, timeout=30) as smtp:
                smtp.send_message(message)
            return
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPServerDisconnected, smtplib.SMTPDataError):
            if left == 0:
                raise
            time.sleep(pause)
