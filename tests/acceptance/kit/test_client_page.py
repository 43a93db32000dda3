"""docs/client.md: its blocks run, top to bottom, and its tree of errors is the one that there is."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import notifier.client
from notifier.client import NotifierError
from notifier.testing.server import NotifierServer

PAGE = (Path(__file__).parents[3] / "docs" / "client.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_blocks_of_the_page_run(notifier_server: NotifierServer) -> None:
    tomorrow = notifier_server.now() + timedelta(days=1)
    told: list[str] = []
    names: dict[str, Any] = {
        "url": notifier_server.url, "key": notifier_server.key, "tomorrow": tomorrow,
        "print": lambda *words: told.append(" ".join(map(str, words))),
    }  # fmt: skip
    for block in BLOCKS:
        exec(compile(block, "docs/client.md", "exec"), names)  # noqa: S102 -- that is what a reader does
    said = "\n".join(told)
    assert re.match(r"[0-9a-f-]{36} queued\nsent\n1000 done\n1500 done\n", said), said
    assert {"to", "data.name"} <= {line.split()[0] for line in told}
    assert "after all retries" not in said


def test_the_tree_of_errors_is_the_one_that_there_is() -> None:
    def tree(error: type[Exception]) -> set[tuple[str, str]]:
        return {pair for child in error.__subclasses__() for pair in ({(error.__name__, child.__name__)} | tree(child))}

    real = {(parent, child) for parent, child in tree(NotifierError) if hasattr(notifier.client, child)}
    shown, stack = set(), ["NotifierError"]
    for bars, name in re.findall(r"^((?:│   )?(?:├── |└── ))(\w+)", PAGE, re.MULTILINE):
        del stack[len(bars) // 4 :]
        shown.add((stack[-1], name))
        stack.append(name)
    assert shown == real
