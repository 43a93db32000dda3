"""What is heard of a mail after it was sent, written down: a recipient moves only as `domain/lifecycle.py` allows;
anything else is ignored and noted in the timeline."""

from dataclasses import replace

from sqlalchemy import RowMapping, func, select, update

from notifier.domain.delivery import Moved, NewEvent
from notifier.domain.errors import Unavailable
from notifier.domain.feedback import MOVES_TO, REACHED, Feedback
from notifier.domain.lifecycle import Status, may_move, settled
from notifier.domain.notification import Notification, Recipient
from notifier.domain.suppression import ALL, NewSuppression, SuppressionReason
from notifier.store import suppression
from notifier.store.changes import Changes, load
from notifier.store.engine import Tx
from notifier.store.tables import delivery, ended, event, recipient

NOTES = 20
"""How many rows a timeline takes of what changes nothing: whoever has the mail can write to its return path."""


def hear(tx: Tx, one: Feedback) -> bool:
    """Records feedback. True if it changed something: a status, or a suppression. Raises Unavailable where the mail is
    being sent at this moment, so that its report came before our own record of it: it is to be told again."""
    one = replace(one, text=_storable(one.text), enhanced=one.enhanced and _storable(one.enhanced))
    id_ = one.notification or _by_relay_id(tx, one)
    row = _locked(tx, id_) if id_ else None
    found = load(tx, [id_]).get(id_) if id_ else None
    if found is None:
        return _leave_alone(tx, one, one.address_keys[0], one.scope) if one.trusted and one.address_keys else False
    if row is not None and row["state"] == "claimed" and one.said != "unsubscribed":
        raise Unavailable("this mail is being sent at this moment; say it again later", retry_after=30.0)
    about = _about(found, one)
    changes = Changes(tx)
    if about is None:
        _note(tx, changes, found, one, None, "it names none of the recipients")
        changes.write()
        return False
    changed = _record(tx, changes, found, about, one)
    changes.write()
    return changed


def _storable(text: str) -> str:
    """Reports hold whatever a server wrote; PostgreSQL takes no NUL, and neither takes half a surrogate pair."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _by_relay_id(tx: Tx, one: Feedback) -> str | None:
    """The mail that the relay took under a name of its own: it said so in its reply to the final dot."""
    if not one.relay_id or len(one.relay_id) < 8:
        return None
    r = recipient.c
    statement = select(r.notification).where(
        r.address_key.in_(one.address_keys), r.reply.contains(one.relay_id, autoescape=True)
    )
    return tx.connection.execute(statement.order_by(r.notification.desc()).limit(1)).scalar_one_or_none()


def _locked(tx: Tx, id_: str) -> RowMapping | None:
    """The row on the hot table, if it is there; whichever there is is locked before the recipients are read."""
    open_ = select(delivery).where(delivery.c.id == id_).with_for_update()
    row = tx.connection.execute(open_).mappings().one_or_none()
    if row is None:
        tx.connection.execute(select(ended.c.id).where(ended.c.id == id_).with_for_update())
    return row


def _about(found: Notification, one: Feedback) -> Recipient | None:
    """Whom it speaks of. A mail to one person is about that person, whatever their mail was forwarded to."""
    for key in one.address_keys:
        for person in found.recipients:
            if person.address_key == key:
                return person
    return found.recipients[0] if len(found.recipients) == 1 else None


def _record(tx: Tx, changes: Changes, found: Notification, person: Recipient, one: Feedback) -> bool:
    status = MOVES_TO.get(one.said)
    scope = _scope(found, one) if person.status in REACHED or one.scope else None
    suppressed = scope is not None and _leave_alone(tx, one, person.address_key, scope, person.email)
    detail = {**_detail(one), **({"suppresses": scope} if suppressed else {})}
    if one.said == "unsubscribed":
        if suppressed:
            changes.add_event(found, NewEvent("email.unsubscribed", person.email, detail))
    elif status is not None and may_move(person.status, status):
        changes.move(found.id, [Moved(person.n, status, one.text or person.reply)])
        changes.add_event(found, NewEvent(f"email.{status}", person.email, detail))
        _settle(tx, found, person, status)
        return True
    elif status is not person.status:
        _note(tx, changes, found, one, person.email, f"the recipient is {person.status}")
    return suppressed


def _settle(tx: Tx, found: Notification, person: Recipient, status: Status) -> None:
    """The status of a notification that had ended; one that is still open gets its own when it ends."""
    after = settled(status if r.n == person.n else r.status for r in found.recipients)
    tx.connection.execute(update(ended).where(ended.c.id == found.id).values(status=after))


def _scope(found: Notification, one: Feedback) -> str | None:
    """What is not to be written any more. Who complains or says stop means mail of that kind; a mailbox that is not
    there gets none at all."""
    if one.said == "bounced":
        return ALL if one.hard else None
    return (one.scope or found.category or ALL) if one.said in ("complained", "unsubscribed") else None


def _leave_alone(tx: Tx, one: Feedback, address_key: str, scope: str | None, email: str | None = None) -> bool:
    """Adds a suppression; False if there is no cause for one, or it stands."""
    reasons: dict[str, SuppressionReason] = {"complained": "complained", "unsubscribed": "unsubscribed"}
    if one.hard:
        reasons["bounced"] = "bounced"
    if one.said not in reasons:
        return False
    source = f"{one.source}: {one.text}" if one.text else one.source
    new = NewSuppression(address_key, email or address_key, scope or ALL, reasons[one.said], source)
    return suppression.add(tx, [new]) > 0


def _note(tx: Tx, changes: Changes, found: Notification, one: Feedback, email: str | None, why: str) -> None:
    noted = select(func.count()).where(event.c.notification == found.id, event.c.type == "email.feedback")
    if tx.connection.execute(noted).scalar_one() < NOTES:
        changes.add_event(found, NewEvent("email.feedback", email, {**_detail(one), "ignored": why}))


def _detail(one: Feedback) -> dict[str, str | None]:
    detail: dict[str, str | None] = {"said": one.said, "source": one.source, "text": one.text}
    if one.said in ("bounced", "delayed"):
        detail |= {"enhanced": one.enhanced, "class": "hard" if one.hard else "soft"}
    return detail
