"""Sending without a relay: keys in test mode, and addresses at ``simulator.notifier`` in any mode.

``delivered@``, ``bounced@`` and ``complained@`` are taken and then end so; ``deferred@`` is put off at the first
attempt and then taken; anybody else is delivered.
"""

from typing import Final

from notifier.delivery.ports import BeforeBody, Content
from notifier.domain.delivery import Envelope
from notifier.domain.lifecycle import Accepted, Deferred, Outcome, Reply, SendResult, Stage, Status, Transaction
from notifier.domain.notification import SIMULATOR

RELAY: Final = "simulator"

_TAKEN = Reply(250, "2.0.0", "taken by the simulator; nothing was sent")
_PUT_OFF = Reply(451, "4.7.1", "put off by the simulator, once")


def feedback_of(email: str) -> Status:
    """What the simulated recipient does after the mail was taken."""
    local, _, domain = email.rpartition("@")
    if domain.lower() == SIMULATOR:
        return {"bounced": Status.BOUNCED, "complained": Status.COMPLAINED}.get(local.lower(), Status.DELIVERED)
    return Status.DELIVERED


class Simulator:
    """A relay of the imagination. The message is built all the same, so that what would fail fails here too."""

    def __init__(self, attempts: int) -> None:
        self._attempts = attempts

    async def send(self, envelope: Envelope, content: Content, before_body: BeforeBody, /) -> SendResult | None:
        """Takes the message for everybody, but for whom it puts off."""
        content(True)
        if not await before_body():
            return None
        return Transaction(RELAY, {n: self._outcome(email) for n, email in envelope.recipients.items()})

    def _outcome(self, email: str) -> Outcome:
        local, _, domain = email.rpartition("@")
        if domain.lower() == SIMULATOR and local.lower() == "deferred" and self._attempts == 0:
            return Deferred(Stage.RCPT, _PUT_OFF.text, _PUT_OFF)
        return Accepted(_TAKEN)
