"""Whatever a provider posts that is not what it documents is refused in a sentence, or says nothing."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.domain.errors import Refused
from notifier.domain.feedback import Feedback
from notifier.web import providers

ID = "0199f3a1-5b7e-7000-8a11-3f0c8f1c2d3e"
Reader = Callable[[Any], list[Feedback]]


def ses(event: Any) -> list[Feedback]:
    return providers.ses({"Message": json.dumps(event)})


def mailgun(event: Any) -> list[Feedback]:
    return providers.mailgun({"event-data": event})


GOOD: list[tuple[Reader, dict[str, Any]]] = [
    (ses, {"eventType": "Bounce", "mail": {"messageId": "0102", "headers": [{"name": "X-Notifier-Id", "value": ID}]},
           "bounce": {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [
               {"emailAddress": "zoe@example.com", "action": "failed", "status": "5.1.1", "diagnosticCode": "550"}]}}),
    (ses, {"notificationType": "Complaint", "mail": {"messageId": "0102"},
           "complaint": {"complaintFeedbackType": "abuse", "complainedRecipients": [{"emailAddress": "z@x.test"}]}}),
    (ses, {"eventType": "Delivery", "mail": {}, "delivery": {"recipients": ["z@x.test"], "smtpResponse": "250"}}),
    (mailgun, {"event": "failed", "severity": "permanent", "recipient": "zoe@example.com", "reason": "bounce",
               "delivery-status": {"code": 550, "enhanced-code": "5.1.1", "message": "no"},
               "message": {"headers": {"message-id": f"{ID}@example.com"}}}),
    (providers.postmark, {"RecordType": "Bounce", "Type": "HardBounce", "Email": "zoe@example.com", "Details": "550",
                          "MessageID": "883953f4", "Metadata": {"notifier-id": ID}}),
    (providers.postmark, {"RecordType": "SubscriptionChange", "SuppressSending": True, "Origin": "Recipient",
                          "Recipient": "zoe@example.com", "MessageID": "883953f4", "Metadata": {}}),
]  # fmt: skip
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=2), st.just({}),
    st.just([{}]), st.just([None]), st.just({"headers": 3}), st.just({"headers": [[]]}),
)  # fmt: skip


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document, itself among them."""
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, entry in inside for place in places(entry, (*path, key)))]


def with_(node: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """The document with something else in a place."""
    if not path:
        return odd
    copy = dict(node) if isinstance(node, dict) else list(node)
    copy[path[0]] = with_(node[path[0]], path[1:], odd)
    return copy


@pytest.mark.parametrize(("read", "event"), GOOD)
def test_what_it_documents_is_read(read: Reader, event: dict[str, Any]) -> None:
    (one,) = read(event)
    assert one.trusted
    assert one.address_keys


@pytest.mark.parametrize(("read", "event"), GOOD)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_anything_in_any_place_breaks_nothing(read: Reader, event: dict[str, Any], data: st.DataObject) -> None:
    changed = with_(event, data.draw(st.sampled_from(places(event))), data.draw(ODD))
    try:
        found = read(changed)
    except Refused:
        return
    for one in found:
        assert isinstance(one.text, str)
        assert isinstance(one.relay_id or "", str)
        assert isinstance(one.enhanced or "", str)


def test_prose_of_sns_says_nothing() -> None:
    assert providers.ses({"Message": "You have chosen to subscribe"}) == []
    assert providers.ses({}) == []
