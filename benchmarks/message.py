"""The one message that everybody sends: its data, and how Jinja renders it where it is not ours."""

import json
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parent / "templates"
SENDER = "shop@example.com"
_DATA: dict[str, Any] = json.loads((TEMPLATES / "order/samples/default.json").read_text("utf-8"))
_ROWS: list[dict[str, Any]] = _DATA["rows"]


def data(n: int) -> dict[str, Any]:
    """The data of message number `n`: no two have the same order or the same amounts, so that nobody's cache helps."""
    rows = [{**row, "price": round(row["price"] + (n * 7 + place) % 9973 / 100, 2)} for place, row in enumerate(_ROWS)]
    total = round(sum(row["price"] * row["quantity"] for row in rows), 2)
    return {**_DATA, "order_id": f"A-{10000 + n}", "rows": rows, "total": total}


def body(n: int) -> dict[str, Any]:
    """What is posted for message number `n`, to everybody."""
    return {"template": "order", "to": recipient(n), "data": data(n)}


def recipient(n: int) -> str:
    return f"user{n}@example.com"


class Jinja:
    """Renders as a tutorial would: one environment, compiled templates, a filter for amounts."""

    def __init__(self) -> None:
        from jinja2 import Environment, FileSystemLoader, select_autoescape

        environment = Environment(loader=FileSystemLoader(TEMPLATES / "order"), autoescape=select_autoescape(["html"]))
        environment.filters["money"] = lambda value, currency: f"{'€' if currency == 'EUR' else currency}{value:,.2f}"
        self._parts = [environment.get_template(name) for name in ("subject.txt", "body.txt", "body.html")]

    def __call__(self, values: dict[str, Any]) -> tuple[str, str, str]:
        """Subject, text, HTML."""
        subject, text, html = (part.render(values) for part in self._parts)
        return subject.strip(), text, html
