"""How long every admin page takes with a million notifications in the database: median and slowest of twenty.

    python -m tests.soak.pages [--database sqlite|postgresql] [--rows N] [--times N]

A service in a process of its own, asked over HTTP, one page after the other. Exit code 1 if a median is above 100 ms.
"""

import argparse
import asyncio
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import httpx2 as httpx

from notifier.capture.server import Capture
from notifier.store.engine import open_database
from notifier.store.schema import upgrade
from tests.soak.million import WEBHOOK, fill_postgres, fill_sqlite
from tests.support.cluster import INSTALL, Cluster, binaries
from tests.support.process import Serve

ALLOWED: Final = 100.0
"""Milliseconds."""
PASSWORD: Final = "a-password-for-a-soak"

PAGES: Final = (
    "", "?range=day", "?range=month",
    "notifications", "notifications?after=MIDDLE", "notifications?status=sent", "notifications?status=failed",
    "notifications?status=partial", "notifications?status=queued", "notifications?status=sending",
    "notifications?q=support@example.com", "notifications?q=reader-17@example.com",
    "notifications?q=nobody@example.com",
    "notifications?q=support@example.com&status=failed", "notifications?q=order-300000", "notifications?q=MIDDLE",
    "notifications?template=order", "notifications?template=rare", "notifications?template=rare&status=failed",
    "notifications?template=none", "notifications?tag=orders", "notifications?tag=rare",
    "notifications?tag=rare&template=order", "notifications?tag=orders&status=bounced",
    "notifications?from=DAY&to=DAY", "notifications?from=DAY&to=DAY&status=bounced",
    "notifications?template=order&status=partial", "notifications?batch=MIDDLE",
    "notifications/MIDDLE", "notifications/NEWEST", "addresses/support@example.com", "addresses/reader-17@example.com",
    "bulk/retry?status=failed", "bulk/cancel?template=order",
    "suppressions", "suppressions?q=gone-999", "suppressions?q=nobody", "suppressions?reason=manual",
    "pauses", "templates", "templates/order", "templates/order/history", "keys", "webhooks", "webhooks/WEBHOOK",
    "webhooks/WEBHOOK?state=failed", "relay", "users", "audit", "account",
)  # fmt: skip


class Measured(tuple[str, float, float, float]):
    """A page, and milliseconds: the first time, the median, the slowest of the others."""


async def _ids(client: httpx.AsyncClient) -> dict[str, str]:
    """Places in the middle and at the end of the list."""
    found: dict[str, str] = {}
    for name, path in (("NEWEST", "notifications"), ("MIDDLE", "notifications?to=DAY")):
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 15 * 86400))
        page = (await client.get(f"/admin/{path}".replace("DAY", day))).text
        id_ = re.search(r"/admin/notifications/([0-9a-f-]{36})", page)
        assert id_ is not None, page
        found |= {name: id_[1], "DAY": day}
    return {**found, "WEBHOOK": WEBHOOK}


async def measured(client: httpx.AsyncClient, times: int) -> Sequence[Measured]:
    words = await _ids(client)
    results = []
    for page in PAGES:
        path = page
        for word, value in words.items():
            path = path.replace(word, value)
        took = []
        for _ in range(times + 1):
            began = time.perf_counter()
            answer = await client.get(f"/admin/{path}")
            took.append((time.perf_counter() - began) * 1000)
            assert answer.status_code in (200, 303), f"{path}: {answer.status_code} {answer.text[:500]}"
        results.append(Measured((page, took[0], statistics.median(took[1:]), max(took[1:]))))
    return results


def table(results: Sequence[Measured]) -> str:
    """Markdown."""
    lines = ["| page | first, ms | median, ms | slowest, ms |", "|---|---:|---:|---:|"]
    lines += [f"| `/admin/{page}` | {first:.0f} | {median:.0f} | {most:.0f} |" for page, first, median, most in results]
    return "\n".join(lines)


async def run(database: str, rows: int, times: int) -> Sequence[Measured]:
    folder = Path(tempfile.mkdtemp(prefix="notifier-pages-"))
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        relay = await stack.enter_async_context(Capture())
        environment = {"NOTIFIER_ADMIN_PASSWORD": PASSWORD}
        if database == "postgresql":
            cluster = await stack.enter_async_context(Cluster(shared_buffers="512MB", max_wal_size="4GB"))
            environment["NOTIFIER_DATABASE_URL"] = cluster.url
        serve = Serve(folder, relay, **environment)
        stack.push_async_callback(serve.close)
        url = environment.get("NOTIFIER_DATABASE_URL", f"sqlite:///{serve.database}")
        migrated = open_database(url)
        await migrated.migrate(upgrade)
        await migrated.close()
        seconds = await fill_postgres(url, rows) if database == "postgresql" else fill_sqlite(serve.database, rows)
        print(f"{rows:,} notifications in {database}: filled in {seconds:.0f} s", file=sys.stderr)
        await serve.start()
        client = httpx.AsyncClient(
            base_url=serve.url, headers={"sec-fetch-site": "same-origin"}, timeout=60, trust_env=False
        )
        await stack.enter_async_context(client)
        answer = await client.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return await measured(client, times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=20)
    given = parser.parse_args()
    if given.database == "postgresql" and binaries() is None:
        sys.exit(INSTALL)
    results = asyncio.run(run(given.database, given.rows, given.times))
    print(table(results))
    if slow := [page for page, _, median, _ in results if median > ALLOWED]:
        sys.exit(f"above {ALLOWED:g} ms: {', '.join(slow)}")


if __name__ == "__main__":
    main()
