"""Telling the buyer once the order is committed: never of an order that was rolled back, never before it is there."""

from django.conf import settings
from django.db import transaction

from notifier.client import Notifier
from shop.models import Order


def place_order(email: str) -> Order:
    with transaction.atomic():
        order: Order = Order.objects.create(email=email)
        # robust: the order stands, and the view answers, even if notifier cannot be reached just now.
        transaction.on_commit(lambda: tell_buyer(order), robust=True)
    return order


def tell_buyer(order: Order) -> None:
    with Notifier(settings.NOTIFIER_URL, settings.NOTIFIER_API_KEY) as notifier:
        notifier.send(
            "order-received",
            to=order.email,
            data={"order_id": order.pk},
            reference=f"order-{order.pk}",
            idempotency_key=f"order-{order.pk}/received",
        )
