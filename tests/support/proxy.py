"""A way to a TCP server that can be cut, opened again at the same port, and made silent."""

import asyncio
from contextlib import suppress


class Proxy:
    """What comes to `port` goes on to `host`:`port` of the server, unless it is cut (connections break, and new ones
    are refused) or silent (connections stand, and nothing is heard)."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._server: asyncio.Server | None = None
        self._ways: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.silent = False

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for way in list(self._ways):
            way.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ways.add(writer)
        if self.silent:
            return
        try:
            there, back = await asyncio.open_connection(*self._to)
        except OSError:  # the server is away: who comes here is told as if there were no proxy
            writer.transport.abort()
            self._ways.discard(writer)
            return
        self._ways.add(back)
        for source, target in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._pump(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while (data := await source.read(65536)) and not target.is_closing():
                if not self.silent:
                    target.write(data)
                    await target.drain()
        target.close()
        self._ways.discard(target)
