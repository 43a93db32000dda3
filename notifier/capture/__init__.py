"""A capture server for mail: keeps what it gets, finds it again, and misbehaves as it is told.

It knows nothing of the rest of notifier.
"""

from notifier.capture.extraction import Link
from notifier.capture.faults import Fault, FaultPlan, Stage
from notifier.capture.filters import Filter
from notifier.capture.ledger import Session, Transaction
from notifier.capture.message import Attachment, Captured
from notifier.capture.server import Capture
from notifier.capture.store import MessageStore, NoSuchMail
from notifier.capture.thread import CaptureThread

__all__ = [
    "Attachment", "Capture", "CaptureThread", "Captured", "Fault", "FaultPlan", "Filter", "Link",
    "MessageStore", "NoSuchMail", "Session", "Stage", "Transaction",
]  # fmt: skip
