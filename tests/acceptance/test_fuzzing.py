"""schemathesis against the served description: all checks, a short run (`make fuzz-api` is the long one)."""

import asyncio
import os
import sys
from pathlib import Path

from tests.acceptance.conftest import House

ROOT = Path(__file__).parents[2]
CASES = os.environ.get("FUZZ_CASES", "5")


async def test_no_request_is_answered_other_than_described(house: House) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(ROOT / "schemathesis.toml")),
        *("run", f"{house.url}/openapi.json"),
        *("--header", f"Authorization: {house.http.headers['authorization']}"),
        *("--checks", "all", "--max-examples", CASES, "--no-color"),
    ]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
