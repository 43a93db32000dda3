"""The buyer is told after the commit, and only then."""

import pytest
from django.db import transaction
from django.test.utils import override_settings
from shop.models import Order
from shop.orders import place_order

from notifier.client import Notifier
from notifier.testing.mailbox import Mailbox


@pytest.mark.usefixtures("database")
def test_an_order_that_is_committed_is_told_of(notifier_mail: Mailbox) -> None:
    order = place_order("zoe@example.com")
    assert notifier_mail.wait_for(reference=f"order-{order.pk}", timeout=20).rcpt_tos == ("zoe@example.com",)


@pytest.mark.usefixtures("database")
def test_nobody_hears_of_an_order_that_was_rolled_back(notifier_client: Notifier) -> None:
    def checkout() -> None:
        with transaction.atomic():
            place_order("zoe@example.com")
            assert list(notifier_client.list()) == [], "not before the commit"
            raise RuntimeError("the card was refused")

    with pytest.raises(RuntimeError, match="card"):
        checkout()
    assert Order.objects.count() == 0
    assert list(notifier_client.list()) == []


@pytest.mark.usefixtures("database")
def test_an_order_stands_when_notifier_is_away() -> None:
    with override_settings(NOTIFIER_URL="http://127.0.0.1:1"):  # nobody listens there
        order = place_order("zoe@example.com")
    assert Order.objects.get().pk == order.pk
