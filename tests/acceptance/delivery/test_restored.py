"""A database restored from a backup: what was queued then has most likely been sent since."""

import asyncio
import os
import shutil
import sys
from collections import Counter
from pathlib import Path

from notifier.capture import Capture
from tests.support.process import Serve, types


async def hold(serve: Serve) -> str:
    """`notifier db hold`, as an operator runs it; what it said."""
    command = Path(sys.executable).with_name("notifier")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NOTIFIER_", "MAIL_"))}
    process = await asyncio.create_subprocess_exec(
        command, "db", "hold", env={**kept, "NOTIFIER_DATABASE_URL": f"sqlite:///{serve.database}"},
        cwd=serve.folder, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


async def test_what_was_queued_in_a_backup_is_held_and_goes_out_again_only_if_somebody_says_so(
    serve: Serve, relay: Capture
) -> None:
    await relay.stop()
    ids = await serve.post_many(3)
    assert await serve.stop() == 0
    backup = serve.folder / "backup.db"
    shutil.copy(serve.database, backup)
    await relay.start()
    await serve.start()
    await serve.all_final(ids)
    assert await serve.stop() == 0
    shutil.copy(backup, serve.database)

    assert "3" in await hold(serve)
    await serve.start()
    assert {found["status"] for found in (await serve.all_final(ids)).values()} == {"held"}
    assert types(await serve.events(ids[0]))[-1] == "held"
    after = await serve.post("after@example.com")
    assert (await serve.final(after))["status"] == "sent"
    answer = await serve.http.post(f"{serve.url}/v1/notifications/{ids[0]}/retry")
    assert answer.status_code == 200, answer.text
    assert (await serve.final(ids[0]))["status"] == "sent"
    copies = Counter(mail.header("X-Notifier-Id") for mail in relay.messages)
    assert copies == {ids[0]: 2, ids[1]: 1, ids[2]: 1, after: 1}
