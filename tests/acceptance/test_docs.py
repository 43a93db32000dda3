"""README.md and docs/api.md are what a newcomer types: commands work, and the answers are those that are printed."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import House

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "api.md"
_BLOCK = re.compile(r"^```(sh|json|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_END = "@end-of-block@"


def differences(told: Any, got: Any, path: str = "$") -> list[str]:
    """Where an answer is not what the page shows. The page may leave fields out; ``...`` stands for anything."""
    if isinstance(told, dict) and isinstance(got, dict):
        return [
            line
            for name, value in told.items()
            for line in (
                differences(value, got[name], f"{path}.{name}") if name in got else [f"{path}.{name}: is not there"]
            )
        ]
    if isinstance(told, list) and isinstance(got, list) and len(told) == len(got):
        return [
            line for n, pair in enumerate(zip(told, got, strict=True)) for line in differences(*pair, f"{path}[{n}]")
        ]
    if isinstance(told, str) and isinstance(got, str) and "..." in told:
        pattern = ".*".join(re.escape(part) for part in told.split("..."))
        return [] if re.fullmatch(pattern, got, re.DOTALL) else [f"{path}: {got!r} is not {told!r}"]
    return [] if told == got else [f"{path}: {got!r} is not {told!r}"]


async def test_the_commands_of_the_page_answer_what_it_prints(house: House, tmp_path: Path) -> None:
    blocks = [(found[1], found[2]) for found in _BLOCK.finditer(PAGE.read_text("utf-8"))]
    commands = [text for kind, text in blocks if kind == "sh"]
    script = "".join(f"{command}echo\necho {_END}\n" for command in commands)
    env = {
        "NOTIFIER": house.url,
        "KEY": house.http.headers["authorization"].removeprefix("Bearer "),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
    }
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", script, stdout=asyncio.subprocess.PIPE, env=env, cwd=tmp_path
    )
    told, _ = await process.communicate()
    outputs = [part.strip() for part in told.decode().split(_END)[:-1]]
    assert process.returncode == 0, outputs[-1:]
    assert len(outputs) == len(commands)
    number, compared = -1, 0
    for (kind, text), before in zip(blocks[1:], blocks, strict=False):
        number += before[0] == "sh"
        if before[0] != "sh" or kind == "sh":
            continue
        compared += 1
        if kind == "json":
            assert differences(json.loads(text), json.loads(outputs[number])) == [], outputs[number]
        else:
            shown = [line.strip() for line in outputs[number].splitlines()]
            assert shown == text.strip().splitlines()
    assert compared == 14


async def test_the_request_and_the_refusal_of_the_readme_are_true(house: House) -> None:
    page = (ROOT / "README.md").read_text("utf-8")
    asked = re.search(r"curl http\S+/v1/notifications .*?-d '(.+?)'$", page, re.DOTALL | re.MULTILINE)
    refusal = re.search(r"^```json\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert asked is not None
    assert refusal is not None
    assert (await house.http.post("/v1/notifications", json=json.loads(asked[1]))).status_code == 202
    wrong = {"template": "password-reset", "to": ["zoe@example.com", "zoe"], "data": {}}
    answer = (await house.http.post("/v1/notifications", json=wrong)).json()
    assert differences(json.loads(refusal[1]), answer) == []
