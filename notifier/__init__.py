"""notifier: the notification service. Accepts requests over HTTP, renders, sends by SMTP, keeps an honest record."""

__version__ = "0.1.0"
