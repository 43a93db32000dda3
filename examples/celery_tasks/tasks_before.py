"""Before: a task that speaks SMTP. The broker, its retries and the worker's luck decide what becomes of the mail: a
crash between the relay's 250 and the task's acknowledgement sends it twice, and nobody can ask where it is."""

import os
import smtplib
from email.message import EmailMessage

from celery import Celery

celery = Celery("shop", broker=os.environ.get("BROKER_URL", "memory://"))


@celery.task(autoretry_for=(OSError, smtplib.SMTPException), retry_backoff=True, max_retries=5, acks_late=True)
def send_order_mail(order_id: int, email: str) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "shop@example.com", email
    message["Subject"] = f"Your order {order_id}"
    message.set_content(f"Dear reader,\n\nwe have your order {order_id}.\n")
    with smtplib.SMTP(os.environ["MAIL_SERVER"], int(os.environ["MAIL_PORT"])) as relay:
        relay.send_message(message)
