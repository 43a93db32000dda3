"""Who wants to know what happens to the connections: metrics and the log."""

from typing import Protocol

from notifier.domain.lifecycle import RelayTrouble
from notifier.mail.relay.breaker import BreakerState


class RelayObserver(Protocol):
    """Called in the event loop: has to be quick and must not raise."""

    def connection_opened(self) -> None: ...

    def connection_closed(self, reason: str) -> None: ...

    def breaker_changed(self, state: BreakerState, trouble: RelayTrouble | None) -> None: ...

    def trouble(self, trouble: RelayTrouble) -> None:
        """A connection could not be made, or a relay wants AUTH or TLS; the breaker need not open for it."""


class Unobserved:
    """Nobody wants to know."""

    def connection_opened(self) -> None:
        pass

    def connection_closed(self, reason: str) -> None:
        pass

    def breaker_changed(self, state: BreakerState, trouble: RelayTrouble | None) -> None:
        pass

    def trouble(self, trouble: RelayTrouble) -> None:
        pass
