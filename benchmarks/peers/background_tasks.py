"""FastAPI BackgroundTasks and fastapi-mail: `uvicorn benchmarks.peers.background_tasks:app`."""

import os
from typing import Any

from fastapi import BackgroundTasks, FastAPI
from fastapi_mail import ConnectionConfig, FastMail, MessageSchema, MessageType, MultipartSubtypeEnum
from pydantic import BaseModel, EmailStr

from benchmarks.message import SENDER, Jinja

app = FastAPI()
render = Jinja()
mail = FastMail(
    ConnectionConfig(
        MAIL_USERNAME="",
        MAIL_PASSWORD="",
        MAIL_FROM=SENDER,
        MAIL_PORT=int(os.environ["MAIL_PORT"]),
        MAIL_SERVER="127.0.0.1",
        MAIL_STARTTLS=False,
        MAIL_SSL_TLS=False,
        USE_CREDENTIALS=False,
    )
)


class Order(BaseModel):
    template: str
    to: EmailStr
    data: dict[str, Any]


@app.post("/send", status_code=202)
async def send(order: Order, background_tasks: BackgroundTasks) -> dict[str, str]:
    subject, text, html = render(order.data)
    message = MessageSchema(
        subject=subject,
        recipients=[order.to],
        body=html,
        alternative_body=text,
        subtype=MessageType.html,
        multipart_subtype=MultipartSubtypeEnum.alternative,
    )
    background_tasks.add_task(mail.send_message, message)
    return {"status": "queued"}
