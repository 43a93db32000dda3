"""Everything between a valid request and a durable row."""

from notifier.intake.acceptance import BatchReceipt, Intake, Refusal
from notifier.intake.request import Request

__all__ = ["BatchReceipt", "Intake", "Refusal", "Request"]
