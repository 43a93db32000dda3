"""What is heard of a mail after the relay took it, and what follows from it."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from notifier.domain.lifecycle import Status

Said = Literal["delivered", "delayed", "bounced", "complained", "unsubscribed"]

MOVES_TO: Final = {
    "delivered": Status.DELIVERED,
    "bounced": Status.BOUNCED,
    "complained": Status.COMPLAINED,
}
"""The status that a recipient moves to by what is said, where the move is a legal one."""

REACHED: Final = frozenset({Status.SENT, Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED})
"""Whom a mail went to: of anybody else nothing can be heard, and what claims to be is not believed."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody down the line says became of a mail.

    `notification` is its id where it is known for sure, `relay_id` what the relay called it when it took it.
    `address_keys` are the spellings under which the recipient may be known, the most certain first; `hard` says that
    the mailbox does not exist. `trusted` says that the sender proved to be the relay, so that an address alone is
    enough to leave it alone; `scope` is then what it asked to be left alone with.
    """

    said: Said
    source: str
    notification: str | None = None
    relay_id: str | None = None
    address_keys: tuple[str, ...] = ()
    enhanced: str | None = None
    text: str = ""
    hard: bool = False
    trusted: bool = False
    scope: str | None = None


_SENDERS_FAULT: Final = frozenset({"5.1.7", "5.1.8", "5.1.9"})  # RFC 3463 3.2: they speak of the sender or of the host
_NO_MAILBOX: Final = re.compile(
    r"user (?:is )?unknown|unknown (?:user|recipient|local part|mailbox)"
    r"|no such (?:user|mailbox|recipient|address|person)"
    r"|(?:user|mailbox|recipient|address|account)(?: name)?\b[^.\n]{0,60}\b(?:does not|doesn't|did not) exist"
    r"|(?:user|mailbox|recipient|address|account) (?:not found|is disabled|has been disabled|is inactive|no longer)"
    r"|doesn't have an? [\w.]+ account|not a valid (?:mailbox|recipient|user)|invalid (?:recipient|mailbox)"
    r"|recipientnotfound|recipnotfound|no mailbox here by that name",
    re.IGNORECASE,
)


def is_hard(enhanced: str | None, text: str = "") -> bool:
    """Whether a permanent refusal says that there is no such mailbox (RFC 3463: 5.1.x of the recipient, 5.2.1). What
    is refused for its content, its sender's name or a full mailbox may well be taken tomorrow."""
    if enhanced is not None and not enhanced.startswith("5."):
        return False
    if enhanced is not None and (enhanced.startswith("5.1.") and enhanced != "5.1.0"):
        return enhanced not in _SENDERS_FAULT
    if enhanced == "5.2.1":
        return True
    vague = enhanced is None or enhanced.endswith((".0.0", ".5.0", ".1.0")) or enhanced == "5.4.1"
    return vague and _NO_MAILBOX.search(text) is not None
