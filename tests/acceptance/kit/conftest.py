"""The kit's fixtures, as its users have them by the entry point."""

from notifier.testing.plugin import (
    _notifier_processes,
    notifier_client,
    notifier_mail,
    notifier_server,
    notifier_settings,
    notifier_templates,
)

__all__ = [
    "_notifier_processes", "notifier_client", "notifier_mail", "notifier_server", "notifier_settings",
    "notifier_templates",
]  # fmt: skip
