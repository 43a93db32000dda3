"""What buyers get. `notifier_mail`, `notifier_server` and `notifier_client` come with notifier-service[testing]."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from notifier.client import Notifier
from notifier.testing.mailbox import Mailbox
from notifier.testing.server import NotifierServer

ORDER = {
    "email": "zoe@buyer.test",
    "name": "Zoë",
    "lines": [{"title": "Fountain pen", "price": "24.50"}, {"title": "Notebook", "price": "7.90", "count": 2}],
}


def place(shop: TestClient, cart: str = "1001", **headers: str) -> dict[str, Any]:
    answer = shop.post("/orders", json=ORDER, headers={"cart": cart, **headers})
    assert answer.status_code == 201, answer.text
    order: dict[str, Any] = answer.json()
    return order


def test_the_buyer_reads_what_was_ordered(shop: TestClient, notifier_mail: Mailbox) -> None:
    order = place(shop)
    mail = notifier_mail.wait_for(notification=order["mail"], timeout=20)
    assert mail.subject == "Your order A-1001"
    assert "2 × Notebook: €7.90" in (mail.text or "")
    assert mail.link("See your order") == "https://shop.test/orders/A-1001"
    mail.assert_valid()


def test_a_french_buyer_reads_french(shop: TestClient, notifier_mail: Mailbox) -> None:
    order = place(shop, **{"accept-language": "fr-CA,fr;q=0.9"})
    assert notifier_mail.wait_for(notification=order["mail"], timeout=20).subject == "Votre commande A-1001"


def test_a_relay_that_stumbles_loses_nothing(shop: TestClient, notifier_mail: Mailbox) -> None:
    notifier_mail.fail_next(rcpt="zoe@buyer.test", code=451, times=2)
    order = place(shop)
    assert notifier_mail.wait_for(notification=order["mail"], timeout=20).attempts == 3


def test_the_button_pressed_twice_sends_one_mail(
    shop: TestClient, notifier_mail: Mailbox, notifier_client: Notifier
) -> None:
    first, second = place(shop), place(shop)
    assert first["mail"] == second["mail"]
    assert notifier_client.wait_until_final(first["mail"]).status == "sent"
    assert [mail.notification for mail in notifier_mail.mails] == [first["mail"]]


def test_who_does_not_pay_is_reminded(
    shop: TestClient, notifier_mail: Mailbox, notifier_server: NotifierServer
) -> None:
    order = place(shop)
    notifier_server.advance("47h")
    notifier_mail.assert_none(notification=order["reminder"])
    notifier_server.advance("2h")
    mail = notifier_mail.wait_for(notification=order["reminder"], timeout=20)
    assert mail.link("Pay") == "https://shop.test/orders/A-1001"


def test_who_paid_is_not(
    shop: TestClient, notifier_mail: Mailbox, notifier_server: NotifierServer, notifier_client: Notifier
) -> None:
    order = place(shop)
    assert shop.post(f"/orders/{order['id']}/payment").json()["paid"] is True
    notifier_server.advance("3d")
    assert notifier_client.get(order["reminder"]).status == "canceled"
    notifier_mail.assert_none(notification=order["reminder"])


def test_a_wrong_address_is_told_to_the_buyer(shop: TestClient, notifier_mail: Mailbox) -> None:
    answer = shop.post("/orders", json={**ORDER, "email": "zoe@@buyer.test"}, headers={"cart": "1001"})
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["detail"]] == ["to.email"]
    notifier_mail.assert_none()


@pytest.mark.parametrize("template", ["order-received", "payment-reminder"])
def test_templates_render_their_samples(notifier_client: Notifier, template: str) -> None:
    shown = notifier_client.preview(template, sample="default")
    assert "A-1001" in shown.subject
    assert not shown.warnings
