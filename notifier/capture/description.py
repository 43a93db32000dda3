"""The description of the inbox's API (OpenAPI 3.1), and nothing of its pages."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from notifier.capture.problems import MEDIA_TYPE

_WORDS = """Mail that was captured, for tests in any language.

A wait finds the mail that came before it, too, and answers as soon as there is one. Give `after` (the id of the last
mail you saw, or a time) to see what came later only. Faults make the SMTP server misbehave: for one recipient, so
that tests side by side do not meet."""


def describe(app: FastAPI, base: str) -> dict[str, Any]:
    """`base` is where the application is mounted."""
    found = get_openapi(
        title="notifier: the inbox",
        version="1",
        description=_WORDS,
        routes=app.routes,
        servers=[{"url": base or "/"}],
    )
    for methods in found["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    answer["content"] = {MEDIA_TYPE: answer["content"].pop("application/json")}
    return found
