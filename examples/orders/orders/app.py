"""The shop's HTTP API. It keeps its orders in memory; what it is about is the mail."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel, Field

from notifier.client import AsyncNotifier, Conflict, Fields, Invalid

REMIND_AFTER = timedelta(days=2)


class Line(BaseModel):
    title: str
    price: Decimal
    count: int = Field(1, ge=1)


class NewOrder(BaseModel):
    email: str
    name: str
    lines: list[Line] = Field(min_length=1)


class Order(NewOrder):
    id: str
    locale: str
    placed_at: datetime
    mail: str | None = None
    reminder: str | None = None
    paid: bool = False

    def about(self) -> Fields:
        """What both mails of an order have in common. The same order asks for the same mail, whenever it is asked."""
        return {
            "to": {"email": self.email, "name": self.name},
            "locale": self.locale,
            "reference": self.id,
            "data": {
                "name": self.name,
                "order_id": self.id,
                "lines": [line.model_dump() for line in self.lines],
                "total": sum((line.price * line.count for line in self.lines), Decimal()),
                "order_url": f"https://shop.test/orders/{self.id}",
            },
        }


def from_environment() -> FastAPI:
    """For ``uvicorn --factory orders.app:from_environment``."""
    return create_app(AsyncNotifier(os.environ["NOTIFIER_URL"], os.environ["NOTIFIER_API_KEY"]))


def create_app(notifier: AsyncNotifier) -> FastAPI:
    orders: dict[str, Order] = {}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with notifier:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/orders", status_code=201)
    async def place(
        new: NewOrder, cart: Annotated[str, Header()], accept_language: Annotated[str, Header()] = "en"
    ) -> Order:
        """One order per cart, however often the button is pressed."""
        asked = Order(
            id=f"A-{cart}", locale=accept_language.split(",")[0], placed_at=datetime.now(UTC), **new.model_dump()
        )
        order = orders.setdefault(asked.id, asked)
        await tell_buyer(order)
        return order

    async def tell_buyer(order: Order) -> None:
        # The keys are the order's own: a second call, and a retry after a crash, send nothing twice.
        try:
            received = await notifier.send("order-received", idempotency_key=f"{order.id}/received", **order.about())
            later: Fields = {**order.about(), "send_at": order.placed_at + REMIND_AFTER}
            reminder = await notifier.send("payment-reminder", idempotency_key=f"{order.id}/reminder", **later)
        except Invalid as error:
            del orders[order.id]
            told = [{"field": fault.field, "message": fault.message} for fault in error.errors]
            raise HTTPException(422, told) from None
        order.mail, order.reminder = received.id, reminder.id

    @app.post("/orders/{order_id}/payment")
    async def pay(order_id: str) -> Order:
        order = orders.get(order_id)
        if order is None or order.reminder is None:
            raise HTTPException(404, f"no order {order_id}")
        order.paid = True
        with suppress(Conflict):  # it has gone out already
            await notifier.cancel(order.reminder)
        return order

    return app
