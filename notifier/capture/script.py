"""The words that tests script faults with."""

from notifier.capture.faults import (
    Bounce,
    Delay,
    Drop,
    Fail,
    Fault,
    FaultPlan,
    Garbage,
    Greylist,
    Hang,
    Hide,
    Stage,
    Trickle,
)

_TEXTS = {
    421: "4.3.2 Service shutting down",
    450: "4.2.0 Mailbox busy",
    451: "4.7.1 Try again later",
    452: "4.2.2 Mailbox full",
    454: "4.7.0 TLS not available",
    535: "5.7.8 Authentication credentials invalid",
    550: "5.1.1 No such user",
    552: "5.3.4 Message too big",
    554: "5.7.1 Refused",
}


class Scripted:
    """Each word adds a fault and gives its handle; ``times=None`` is for ever."""

    faults: FaultPlan

    def fail_next(
        self,
        *,
        stage: Stage = "rcpt",
        rcpt: str | None = None,
        sender: str | None = None,
        code: int = 451,
        text: str | None = None,
        times: int = 1,
    ) -> Fault:
        """The next `times` commands of this stage (and address) get this reply."""
        return self.faults.add(stage, Fail(code, _text(code, text)), rcpt=rcpt, sender=sender, times=times)

    def fail(
        self,
        *,
        stage: Stage = "rcpt",
        rcpt: str | None = None,
        sender: str | None = None,
        code: int = 451,
        text: str | None = None,
    ) -> Fault:
        """Every command of this stage (and address) gets this reply, until ``remove()``."""
        return self.faults.add(stage, Fail(code, _text(code, text)), rcpt=rcpt, sender=sender, times=None)

    def drop_at(self, stage: Stage, times: int | None = 1, *, rcpt: str | None = None, keep: bool = False) -> Fault:
        """The connection ends without an answer. At ``dot``, `keep` says whether the message was taken."""
        return self.faults.add(stage, Drop(keep), rcpt=rcpt, times=times)

    def hang_at(self, stage: Stage, times: int | None = 1, *, rcpt: str | None = None, keep: bool = False) -> Fault:
        """No answer until the client goes. At ``dot``, `keep` says whether the message was taken."""
        return self.faults.add(stage, Hang(keep), rcpt=rcpt, times=times)

    def delay(
        self, stage: Stage, seconds: float, times: int | None = None, *, rcpt: str | None = None
    ) -> Fault:  # fmt: skip
        """The usual answer, `seconds` late. A message is kept before the wait."""
        return self.faults.add(stage, Delay(seconds), rcpt=rcpt, times=times)

    def trickle(
        self, stage: Stage, seconds_per_byte: float, times: int | None = None, *, rcpt: str | None = None
    ) -> Fault:
        """The usual answer, one byte at a time."""
        return self.faults.add(stage, Trickle(seconds_per_byte), rcpt=rcpt, times=times)

    def garbage(
        self,
        stage: Stage,
        times: int | None = 1,
        *,
        rcpt: str | None = None,
        content: bytes = b"HTTP/1.1 400 Bad Request\r\n\r\n",
        keep: bool = False,
    ) -> Fault:
        """Bytes that are no SMTP reply."""
        return self.faults.add(stage, Garbage(content, keep), rcpt=rcpt, times=times)

    def reject_auth(self, code: int = 535, text: str | None = None, times: int | None = None) -> Fault:
        """AUTH is refused, whatever the credentials."""
        return self.faults.add("auth", Fail(code, _text(code, text)), times=times)

    def no_starttls(self) -> Fault:
        """STARTTLS is not offered, and not understood either."""
        return self.faults.add("ehlo", Hide("STARTTLS"), times=None)

    def greylist(self, *, times: int = 1, seconds: float = 0.0, rcpt: str | None = None) -> Fault:
        """RCPT gets 451 for each new pair of sender and recipient: the first `times`, and until `seconds` passed."""
        return self.faults.add("rcpt", Greylist(times, seconds), rcpt=rcpt, times=None)

    def bounce(
        self, rcpt: str, *, code: int = 550, text: str = "5.1.1 No such user", times: int | None = None
    ) -> Fault:  # fmt: skip
        """Mail to `rcpt` is taken, and a delivery status notification to its sender is captured after it."""
        return self.faults.add("bounce", Bounce(code, text), rcpt=rcpt, times=times)


def _text(code: int, text: str | None) -> str:
    return text if text is not None else _TEXTS.get(code, f"{code // 100}.0.0 Scripted")
