"""How much a request may hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Octets, unless it says otherwise. `body` is that of any request, `data` the template's data as JSON,
    `attachments` all files of one notification together, decoded; `batch` and `recipients` are counts, `subject`
    is in characters, `wait` in seconds."""

    body: int = 16 * 1024 * 1024
    data: int = 256 * 1024
    attachments: int = 10 * 1024 * 1024
    batch: int = 1000
    recipients: int = 50
    subject: int = 998
    wait: float = 60.0
