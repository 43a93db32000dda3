"""Scripted faults: what the server shall do wrong, at which stage, for whom and how often.

The first fault that fits a command is the one that happens, in the order in which they were added.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

Stage = Literal[
    "connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body", "dot", "rset", "quit", "bounce"
]  # fmt: skip
"""Where a fault happens. ``data`` is the command, ``body`` is between the 354 and the final dot, ``dot`` after the
dot, ``bounce`` after the 250 to the dot."""
_WITH_SENDER = frozenset({"mail", "rcpt", "data", "body", "dot", "bounce"})
_WITH_RCPT = _WITH_SENDER - {"mail"}


def reply(code: int, text: str) -> str:
    """An SMTP reply without its last line end; text of several lines makes a multi-line reply (RFC 5321 4.2.1)."""
    lines = text.splitlines() or [""]
    return "\r\n".join([*(f"{code}-{line}" for line in lines[:-1]), f"{code} {lines[-1]}"])


@dataclass(frozen=True, slots=True)
class Fail:
    """Answers with this reply. 421 also ends the connection (RFC 5321 3.8)."""

    code: int
    text: str
    keep = False


@dataclass(frozen=True, slots=True)
class Drop:
    """Ends the connection without an answer."""

    keep: bool = False


@dataclass(frozen=True, slots=True)
class Hang:
    """Never answers; ends when the client goes."""

    keep: bool = False


@dataclass(frozen=True, slots=True)
class Delay:
    """Answers as usual, so many seconds later."""

    seconds: float
    keep = True


@dataclass(frozen=True, slots=True)
class Trickle:
    """Answers as usual, byte by byte."""

    seconds_per_byte: float
    keep = True


@dataclass(frozen=True, slots=True)
class Garbage:
    """Answers with bytes that are no SMTP reply."""

    content: bytes
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Hide:
    """Leaves a keyword out of the answer to EHLO."""

    keyword: str
    keep = True


@dataclass(frozen=True, slots=True)
class Greylist:
    """Answers 451 to a pair of sender and recipient, the first `tries` times and until `seconds` have passed."""

    tries: int
    seconds: float
    seen: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)
    keep = False


@dataclass(frozen=True, slots=True)
class Bounce:
    """Takes the message, and then a delivery status notification (RFC 3464) comes back to its sender."""

    code: int
    text: str
    keep = True


Action = Fail | Drop | Hang | Delay | Trickle | Garbage | Hide | Greylist | Bounce


@dataclass(eq=False, slots=True)
class Fault:
    """One scripted fault, and the handle to take it back. `left` counts down to 0, None is for ever."""

    id: int
    stage: Stage
    action: Action
    rcpt: str | None
    sender: str | None
    left: int | None
    hits: int = 0
    _plan: "FaultPlan | None" = field(default=None, repr=False)

    def remove(self) -> None:
        """Takes the fault back. Doing so twice is no error."""
        if self._plan is not None:
            self._plan.remove(self)

    def fits(self, stage: Stage, sender: str | None, rcpts: Sequence[str]) -> bool:
        return (
            self.stage == stage
            and (self.left is None or self.left > 0)
            and (self.sender is None or (sender is not None and sender.lower() == self.sender))
            and (self.rcpt is None or self.rcpt in (rcpt.lower() for rcpt in rcpts))
        )


class FaultPlan:
    """The faults in order. Safe between threads: a test scripts them while the server runs in another one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._clock = clock
        self._last_id = 0

    def add(
        self, stage: Stage, action: Action, *, rcpt: str | None = None, sender: str | None = None, times: int | None = 1
    ) -> Fault:
        """Adds a fault after the others. ValueError if it could never happen."""
        _check(stage, action, rcpt, sender, times)
        with self._lock:
            self._last_id += 1
            who = (rcpt and rcpt.lower(), sender.lower() if sender is not None else None)
            fault = Fault(self._last_id, stage, action, *who, times, _plan=self)
            self._faults.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        with self._lock:
            self._faults = [each for each in self._faults if each is not fault]

    def clear(self) -> None:
        with self._lock:
            self._faults = []

    def __iter__(self) -> Iterator[Fault]:
        return iter(tuple(self._faults))

    def __len__(self) -> int:
        return len(self._faults)

    def next(self, stage: Stage, sender: str | None = None, rcpts: Sequence[str] = ()) -> Action | None:
        """What goes wrong now, if anything does; counts it."""
        with self._lock:
            for fault in self._faults:
                if isinstance(fault.action, Hide) or not fault.fits(stage, sender, rcpts):
                    continue
                if isinstance(fault.action, Greylist) and not self._is_grey(fault.action, sender or "", rcpts[0]):
                    continue
                fault.hits += 1
                if fault.left is not None:
                    fault.left -= 1
                return fault.action
        return None

    def hidden(self) -> set[str]:
        """The keywords that the answer to EHLO leaves out."""
        return {fault.action.keyword for fault in self if isinstance(fault.action, Hide)}

    def _is_grey(self, action: Greylist, sender: str, rcpt: str) -> bool:
        pair, now = (sender.lower(), rcpt.lower()), self._clock()
        tries, first = action.seen.get(pair, (0, now))
        action.seen[pair] = (tries + 1, first)
        return tries < action.tries or now - first < action.seconds


def _check(stage: Stage, action: Action, rcpt: str | None, sender: str | None, times: int | None) -> None:
    if stage not in get_args(Stage):
        raise ValueError(f"no such stage: {stage!r}; there are {', '.join(get_args(Stage))}")
    if times is not None and times < 1:
        raise ValueError(f"times={times} would never happen")
    if rcpt is not None and stage not in _WITH_RCPT:
        raise ValueError(f"no recipient is known at {stage}")
    if sender is not None and stage not in _WITH_SENDER:
        raise ValueError(f"no sender is known at {stage}")
    if isinstance(action, Drop | Hang | Garbage) and action.keep and stage != "dot":
        raise ValueError(f"there is no message to keep at {stage}")
    if stage == "body" and not isinstance(action, Drop | Hang):
        raise ValueError("a server does not answer in mid-body: drop or hang there")
    if (stage == "bounce") != isinstance(action, Bounce):
        raise ValueError("bounces happen at the stage bounce, and nothing else does")
    if isinstance(action, Fail | Bounce) and not (400 <= action.code <= 599 and _is_text(action.text)):
        raise ValueError(f"no refusal: {action.code} {action.text!r}")


def _is_text(text: str) -> bool:
    return all(line.isprintable() for line in text.splitlines())
