"""What a Django project needs for it, and as little as possible beside it."""

import os

SECRET_KEY = "for-this-example-only"
INSTALLED_APPS = ["shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("SHOP_DATABASE", ":memory:")}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DEFAULT_FROM_EMAIL = "The shop <shop@example.com>"

EMAIL_BACKEND = "notifier_backend.EmailBackend"
NOTIFIER_URL = os.environ.get("NOTIFIER_URL", "http://127.0.0.1:8000")
NOTIFIER_API_KEY = os.environ.get("NOTIFIER_API_KEY", "")
