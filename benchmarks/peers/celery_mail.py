"""Celery with Redis, smtplib and Jinja: `celery -A benchmarks.peers.celery_mail:celery worker` and
`uvicorn benchmarks.peers.celery_mail:app`; as a program it fills the queue."""

import os
import smtplib
import sys
from email.message import EmailMessage
from typing import Any

from celery import Celery
from fastapi import FastAPI
from pydantic import BaseModel, EmailStr

from benchmarks.message import SENDER, Jinja, data, recipient

celery = Celery("mail", broker=os.environ["REDIS_URL"])
celery.conf.task_ignore_result = True
app = FastAPI()
render = Jinja()


class Order(BaseModel):
    template: str
    to: EmailStr
    data: dict[str, Any]


@app.post("/send", status_code=202)
def send(order: Order) -> dict[str, str]:
    deliver.delay(order.to, order.data)
    return {"status": "queued"}


@celery.task(name="deliver", autoretry_for=(OSError,), retry_backoff=True)
def deliver(to: str, values: dict[str, Any]) -> None:
    subject, text, html = render(values)
    message = EmailMessage()
    message["From"] = SENDER
    message["To"] = to
    message["Subject"] = subject
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    with smtplib.SMTP("127.0.0.1", int(os.environ["MAIL_PORT"])) as relay:
        relay.send_message(message)


if __name__ == "__main__":
    for n in range(int(sys.argv[1])):
        deliver.delay(recipient(n), data(n))
