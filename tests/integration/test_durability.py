"""202 is answered after the disk has it: what strace sees between the last write to the log and the answer."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ACCEPTS = 5
MARKER = "accepted"

SCRIPT = f'''
import asyncio, os, sys
from datetime import UTC, datetime
from notifier.domain.acceptance import Acceptance, New
from notifier.domain.notification import Address, Notification, Recipient, uuid7
from notifier.store.engine import open_database
from notifier.store.store import Store

def asked():
    id_ = uuid7()
    to = Recipient(0, "to", "u@x.test", address_key="u@x.test")
    one = Notification(id_, "default", datetime.now(UTC), id_, Address("a@x.test"), (to,), template="t", version=1)
    return Acceptance("default", (New(one),), one.created_at)

async def main():
    store = Store(open_database(sys.argv[1]))
    await store.migrate()
    pipe = os.pipe()[1]
    os.write(pipe, b"begin")
    for _ in range({ACCEPTS}):
        await store.accept(asked())
        os.write(pipe, b"{MARKER}")
    await store.close()

asyncio.run(main())
'''

CALL = re.compile(r"(?P<pid>\d+) +(?P<name>\w+)\(\d+(?:<(?P<file>[^>]*)>)?(?P<rest>.*)")
RESUMED = re.compile(r"(?P<pid>\d+) +<\.\.\. (?P<name>fsync|fdatasync) resumed>")


def traced(tmp_path: Path) -> list[str]:
    """What happened after the marker "begin", in order: a "write" to the log begun, a "sync" of it done, an
    "answer"."""
    trace = tmp_path / "trace"
    calls = "trace=write,pwrite64,writev,pwritev,fsync,fdatasync"
    command = ["strace", "-f", "-y", "-e", calls, "-s", "32", "-o", str(trace), sys.executable, "-c", SCRIPT]
    subprocess.run([*command, f"sqlite:///{tmp_path / 'notifier.db'}"], check=True, capture_output=True, timeout=60)
    found: list[str] = []
    syncing: set[str] = set()  # threads inside a sync of the log
    for line in trace.read_text().partition('"begin"')[2].splitlines():
        if (resumed := RESUMED.match(line)) and resumed["pid"] in syncing:
            syncing.remove(resumed["pid"])
            found.append("sync")
        elif (call := CALL.match(line)) is None:
            continue
        elif f'"{MARKER}"' in call["rest"]:
            found.append("answer")
        elif not (call["file"] or "").endswith("notifier.db-wal"):
            continue
        elif call["name"] not in ("fsync", "fdatasync"):
            found.append("write")
        elif "<unfinished" in line:
            syncing.add(call["pid"])
        else:
            found.append("sync")
    return found


def test_every_acceptance_is_on_the_disk_before_it_is_answered(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("no strace: `apt-get install strace`")
    rounds = " ".join(traced(tmp_path)).split("answer")
    assert len(rounds) == ACCEPTS + 1
    for calls in rounds[:-1]:
        assert "write" in calls
        assert calls.endswith("sync "), calls
