"""Puts a backlog into a database, with no worker running: `python -m benchmarks.ours.fill COUNT`, with the settings of
the service in the environment. The rows are what the front door stores; they are not checked one by one."""

import argparse
import asyncio
import time
from datetime import UTC, datetime

from benchmarks.message import SENDER, TEMPLATES, data, recipient
from notifier.app.storage import open_store
from notifier.domain.acceptance import Acceptance, New
from notifier.domain.key import Key, new_key
from notifier.domain.notification import Address, Notification, Recipient, uuid7
from notifier.settings import read_settings
from notifier.templating.library import Library

SECRET = "ntf_live_" + "b" * 40
_GROUP = 500


async def fill(count: int) -> None:
    settings = read_settings()
    async with open_store(settings) as store:
        await store.migrate()
        await Library(store, time.monotonic).sync(TEMPLATES)
        key, _ = new_key("benchmark", secret=SECRET)
        if not await store.keys():
            await store.add_key(key)
        for start in range(0, count, _GROUP):
            some = range(start, min(count, start + _GROUP))
            await asyncio.gather(*(store.accept(acceptance(n, key)) for n in some))


def acceptance(n: int, key: Key) -> Acceptance:
    id_, now = uuid7(), datetime.now(UTC)
    one = Notification(
        id=id_,
        project="default",
        created_at=now,
        message_id=f"<{id_}@example.com>",
        sender=Address(SENDER),
        recipients=(Recipient(0, "to", recipient(n), address_key=recipient(n)),),
        key=key.id,
        template="order",
        version=1,
        category="benchmarks",
        words="en",
        data=data(n),
    )
    return Acceptance("default", (New(one),), now)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    asyncio.run(fill(parser.parse_args().count))
