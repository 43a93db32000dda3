"""notifier beside the tests of other services: compose.ci.yaml, and the script that needs no Docker."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import yaml

from tests.acceptance.examples.projects import EXAMPLES, LONGEST, ROOT, environment, run

BINARIES = Path(sys.executable).parent
TEMPLATES = EXAMPLES / "orders" / "templates"


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    """The one service of the file."""
    [found] = yaml.safe_load((ROOT / "compose.ci.yaml").read_text())["services"].values()
    one: dict[str, Any] = found
    return one


def test_the_compose_file_publishes_what_its_command_listens_on(service: dict[str, Any]) -> None:
    command = service["command"]
    listening = {command[command.index(flag) + 1] for flag in ("--port", "--smtp-port")}
    published = [mapping.split(":") for mapping in service["ports"]]
    assert all(host == "127.0.0.1" for host, _, _ in published)
    assert {inside for _, _, inside in published} == listening
    assert command[command.index("--host") + 1] == "0.0.0.0"  # noqa: S104 - inside its container
    [mounted] = service["volumes"]
    assert mounted.endswith(f"}}:{command[command.index('--templates') + 1]}:ro")


@asynccontextmanager
async def running(service: dict[str, Any]) -> AsyncIterator[str]:
    """What the compose file runs, on free ports of this machine, until it says where it is."""
    told = [BINARIES / "notifier", *service["command"]]
    for flag, value in {"--host": "127.0.0.1", "--port": "0", "--smtp-port": "0", "--templates": TEMPLATES}.items():
        told[told.index(flag) + 1] = value
    env = environment(BINARIES, **service["environment"])
    process = await asyncio.create_subprocess_exec(
        *told, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120):
            url = await told_by(process.stdout)
        yield url
    finally:
        process.kill()
        await process.communicate()


async def told_by(output: asyncio.StreamReader) -> str:
    """The address in the banner."""
    said = ""
    while line := (await output.readline()).decode():
        said += line
        if found := re.fullmatch(r"\s+inbox\s+(\S+)/inbox\n", line):
            return found[1]
    raise AssertionError(f"it ended:\n{said}")


async def test_what_the_compose_file_runs_is_healthy_and_takes_its_key(service: dict[str, Any]) -> None:
    async with running(service) as url, httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http:
        form, *check = service["healthcheck"]["test"]
        assert form == "CMD"
        healthy = await asyncio.create_subprocess_exec(
            BINARIES / check[0], *check[1:], env=environment(BINARIES, NOTIFIER_URL=url), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await healthy.communicate()
        assert healthy.returncode == 0, said
        key = service["environment"]["NOTIFIER_API_KEY"]
        listed = await http.get("/v1/templates", headers={"authorization": f"Bearer {key}"})
        assert [one["name"] for one in listed.json()["data"]] == ["order-received", "payment-reminder"]
        assert (await http.get("/inbox/api/messages")).json()["data"] == []


def test_the_script_gives_a_command_a_notifier_and_its_exit_code() -> None:
    script = EXAMPLES / "ci" / "with-notifier.sh"
    send = 'notifier send order-received --to zoe@buyer.test --data-file "$1"'
    wait = 'curl -sSf "$NOTIFIER_INBOX/api/messages/wait?to=zoe@buyer.test&timeout=20"'
    sample = TEMPLATES / "order-received" / "samples" / "default.json"
    said = run([script, TEMPLATES, "sh", "-c", f"{send} && {wait}", "sh", sample], ROOT, environment(BINARIES))
    assert '"subject":"Your order A-1001"' in said
    done = subprocess.run([script, TEMPLATES, "false"], timeout=LONGEST, env=environment(BINARIES))
    assert done.returncode == 1


def test_the_script_says_why_there_is_no_notifier(tmp_path: Path) -> None:
    script, nowhere = EXAMPLES / "ci" / "with-notifier.sh", tmp_path / "nowhere"
    done = subprocess.run(
        [script, nowhere, "true"], timeout=LONGEST, env=environment(BINARIES), capture_output=True, text=True
    )
    assert done.returncode == 1
    assert f"{nowhere}: there is no such folder" in done.stderr
