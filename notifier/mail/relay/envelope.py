"""An envelope made ready for MAIL and RCPT: every address checked before the first command, because a bad one after
MAIL would leave the session with half an envelope."""

from collections.abc import Mapping
from dataclasses import dataclass

from notifier.domain.delivery import Envelope
from notifier.domain.lifecycle import Outcome, Rejected, Stage
from notifier.mail.address import AddressError, envelope_address


@dataclass(frozen=True, slots=True)
class Addressed:
    """`recipients` can be written into a command; `outcomes` are those that never will be."""

    sender: bytes
    recipients: Mapping[int, bytes]
    outcomes: Mapping[int, Outcome]

    @classmethod
    def of(cls, envelope: Envelope) -> "Addressed":
        """Domains in A-labels (RFC 5890), controls refused. A sender that will not do rejects everyone."""
        try:
            sender = _octets(envelope.sender) if envelope.sender else b""
        except AddressError as error:
            return cls(b"", {}, _all(envelope.recipients, f"the sender's address cannot be used: {error.reason}"))
        recipients: dict[int, bytes] = {}
        outcomes: dict[int, Outcome] = {}
        for n, address in envelope.recipients.items():
            try:
                recipients[n] = _octets(address)
            except AddressError as error:
                outcomes[n] = Rejected(Stage.LOCAL, f"the address cannot be used: {error.reason}")
        return cls(sender, recipients, outcomes)

    def offered(self, smtputf8: bool, relay: str) -> "Addressed":
        """What is left of it at a relay that offers SMTPUTF8 (RFC 6531), or does not."""
        if smtputf8 or self.ascii:
            return self
        why = f"{relay} does not offer SMTPUTF8, and {{}} address is not ASCII before the @-sign"
        if not self.sender.isascii():
            return Addressed(b"", {}, {**self.outcomes, **_all(self.recipients, why.format("the sender's"))})
        foreign = {n: address for n, address in self.recipients.items() if not address.isascii()}
        kept = {n: address for n, address in self.recipients.items() if n not in foreign}
        return Addressed(self.sender, kept, {**self.outcomes, **_all(foreign, why.format("this"))})

    def too_big(self, size: int, limit: int, relay: str) -> "Addressed":
        """Nobody is left: the message is bigger than the relay's SIZE (RFC 1870)."""
        why = f"the message has {size:,} octets and {relay} takes at most {limit:,}"
        return Addressed(b"", {}, {**self.outcomes, **_all(self.recipients, why)})

    @property
    def ascii(self) -> bool:
        return self.sender.isascii() and all(address.isascii() for address in self.recipients.values())


def _octets(address: str) -> bytes:
    return envelope_address(address).encode()  # it checks the syntax again: no control, no bracket, no surrogate


def _all(recipients: Mapping[int, object], why: str) -> dict[int, Outcome]:
    return {n: Rejected(Stage.LOCAL, why) for n in recipients}
