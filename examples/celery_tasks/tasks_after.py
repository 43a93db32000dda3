"""After: one POST once the order is committed, and a sweep for what a crash left between the two.

The sweep posts with the same idempotency key, so that it never doubles what has been posted already.
"""

import logging
import os
from typing import Any

from celery import Celery
from sqlalchemy import create_engine, event, false, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from notifier.client import Notifier, NotifierError

log = logging.getLogger(__name__)
celery = Celery("shop", broker=os.environ.get("BROKER_URL", "memory://"))
celery.conf.beat_schedule = {"tell-the-missed": {"task": "tasks_after.tell_the_missed", "schedule": 60.0}}
engine = create_engine(os.environ.get("SHOP_DATABASE_URL", "sqlite:///shop.db"))
Sessions = sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    told: Mapped[bool] = mapped_column(default=False)


def place_order(session: Session, email: str) -> Order:
    """The caller commits, with whatever else belongs to the order."""
    order = Order(email=email)
    session.add(order)
    session.info.setdefault("placed", []).append(order)
    return order


@event.listens_for(Sessions, "after_commit")
def tell_after_commit(session: Session) -> None:
    for order in session.info.pop("placed", []):
        try:
            tell(order)
        except NotifierError:  # the order stands; the sweep will tell
            log.warning("order %s: not told yet", order.id, exc_info=True)


@event.listens_for(Sessions, "after_rollback")
def forget_after_rollback(session: Session) -> None:
    session.info.pop("placed", None)


@celery.task
def tell_the_missed() -> int:
    """Once a minute: every order that is not marked as told."""
    with Sessions() as session:
        missed = session.scalars(select(Order).where(Order.told == false())).all()
        for order in missed:
            tell(order)
            order.told = True
        session.commit()
        return len(missed)


def tell(order: Order) -> None:
    about: dict[str, Any] = {"to": order.email, "reference": f"order-{order.id}", "data": {"order_id": order.id}}
    with Notifier(os.environ["NOTIFIER_URL"], os.environ["NOTIFIER_API_KEY"]) as notifier:
        notifier.send("order-received", idempotency_key=f"order-{order.id}/received", **about)
