"""Before: the answer goes out, then the process that gave it sends the mail, once, if it still lives."""

from urllib.parse import quote

from fastapi import BackgroundTasks, FastAPI
from fastapi_mail import ConnectionConfig, FastMail, MessageSchema, MessageType
from pydantic import BaseModel, NameEmail


class SignUp(BaseModel):
    email: str
    name: str


def create_app(config: ConnectionConfig) -> FastAPI:
    app = FastAPI()
    mail = FastMail(config)

    @app.post("/signups", status_code=201)
    async def sign_up(new: SignUp, background: BackgroundTasks) -> dict[str, str]:
        message = MessageSchema(
            subject=f"Welcome, {new.name}",
            recipients=[NameEmail(new.name, new.email)],
            template_body={"name": new.name, "confirm_url": confirm_url(new)},
            subtype=MessageType.html,
        )
        background.add_task(mail.send_message, message, template_name="welcome.html")
        return {"email": new.email}

    return app


def confirm_url(new: SignUp) -> str:
    return f"https://app.example.com/confirm/{quote(new.email)}"
