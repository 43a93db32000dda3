"""Behind PgBouncer in transaction mode: no session is ours, and everything but the wake-up works."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.engine import URL, make_url

from notifier.store.engine import open_database
from notifier.store.store import Store

if TYPE_CHECKING:
    from tests.contract.conftest import Commits

PGBOUNCER = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/bin")


@pytest.fixture
async def bouncer_url(emptied_url: str, tmp_path: Path) -> AsyncIterator[str]:
    if PGBOUNCER is None:
        pytest.skip("no pgbouncer: `apt-get install pgbouncer`")
    url = make_url(emptied_url)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = _configure(tmp_path, url, port)
    as_user = ("-u", "nobody") if os.getuid() == 0 else ()
    process = await asyncio.create_subprocess_exec(
        PGBOUNCER, *as_user, str(config), stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(10):
            while b"process up" not in await process.stderr.readline():
                assert process.returncode is None
        yield url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    finally:
        process.terminate()
        await process.communicate()


def _configure(folder: Path, url: URL, port: int) -> Path:
    folder.chmod(0o755)
    users, config = folder / "users", folder / "pgbouncer.ini"
    users.write_text(f'"{url.username}" "{url.password or ""}"\n')
    config.write_text(
        f"[databases]\n{url.database} = host={url.host} port={url.port or 5432} user={url.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\nauth_file = {users}\n"
        "pool_mode = transaction\ndefault_pool_size = 3\nunix_socket_dir =\n"
    )
    return config


async def test_everything_works_with_the_cache_of_prepared_statements_off(bouncer_url: str, make_desk: Any) -> None:
    async with make_desk(f"{bouncer_url}?prepared_statement_cache_size=0") as desk:
        for _ in range(3):
            await asyncio.gather(*(desk.store.accept(desk.asked(key=f"k{n}")) for n in range(50)))
        await asyncio.gather(*(desk.store.accept(desk.batch([None] * 5)) for _ in range(10)))
        readers = [desk.store.is_ready() for _ in range(20)]
        claims = [desk.claim(20) for _ in range(10)]
        assert all(await asyncio.gather(*readers))
        claimed = [one for some in await asyncio.gather(*claims) for one in some]
        while more := await desk.claim(20):
            claimed += more
        assert len({one.notification.id for one in claimed}) == len(claimed) == 100
        assert all(await asyncio.gather(*(desk.store.finish(desk.sent(one)) for one in claimed)))
        assert await desk.count("pg_prepared_statements") == 0
        async with desk.store.on_work(lambda: None):  # nobody rings here, and nothing breaks
            assert await desk.accept()


async def test_with_the_cache_on_the_setting_that_helps_is_named(
    bouncer_url: str, make_desk: Any, commits: "Commits"
) -> None:
    async with make_desk(f"{bouncer_url}?prepared_statement_cache_size=0"):
        cached = Store(open_database(bouncer_url), commits)
        try:
            results = await asyncio.gather(*(cached.is_ready() for _ in range(20)), return_exceptions=True)
            results += await asyncio.gather(*(cached.is_ready() for _ in range(20)), return_exceptions=True)
        finally:
            await cached.close()
        troubles = [str(result) for result in results if isinstance(result, Exception)]
        assert troubles
        assert all("prepared_statement_cache_size=0" in trouble for trouble in troubles)


async def test_no_statement_is_left_on_the_server_with_the_cache_off(emptied_url: str, make_desk: Any) -> None:
    async with make_desk(f"{emptied_url}?prepared_statement_cache_size=0") as desk:
        assert await desk.accept()
        assert len(await desk.claim()) == 1
        assert await desk.count("pg_prepared_statements") == 0
