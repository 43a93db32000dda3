"""After: the mail is safe on notifier's disk before the answer goes out, and is tried until the relay has it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

from fastapi import FastAPI
from pydantic import BaseModel

from notifier.client import AsyncNotifier


class SignUp(BaseModel):
    email: str
    name: str


def create_app(notifier: AsyncNotifier) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with notifier:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/signups", status_code=201)
    async def sign_up(new: SignUp) -> dict[str, str]:
        await notifier.send(
            "welcome",
            to={"email": new.email, "name": new.name},
            data={"name": new.name, "confirm_url": confirm_url(new)},
            idempotency_key=f"welcome/{new.email}",
        )
        return {"email": new.email}

    return app


def confirm_url(new: SignUp) -> str:
    return f"https://app.example.com/confirm/{quote(new.email)}"
