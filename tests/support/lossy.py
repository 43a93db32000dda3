"""A way to an HTTP service on which answers get lost after the service has done what it was asked."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@contextmanager
def lossy(url: str, lost: Callable[[int], bool]) -> Iterator[str]:
    """A URL whose requests go on to `url`, one connection after the other. Once the service has answered, `lost` is
    asked with the request's number (from 1 on): where it says so the connection ends without the answer."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def carry() -> None:
            number = 0
            with suppress(OSError):  # the listening socket is closed: nobody comes any more
                while True:
                    near, _ = listening.accept()
                    with suppress(ConnectionError), near, socket.create_connection((host, int(port))) as far:
                        while asked := _message(near):
                            far.sendall(asked)
                            answer = _message(far)
                            number += 1
                            if lost(number):
                                break
                            near.sendall(answer)

        thread = threading.Thread(target=carry, daemon=True)
        thread.start()
        yield "http://{}:{}".format(*listening.getsockname())
        listening.shutdown(socket.SHUT_RDWR)  # a close alone would not wake who waits for a connection
    thread.join(30)


def _message(source: socket.socket) -> bytes:
    """A request or an answer, whole; nothing at the connection's end."""
    got = b""
    while b"\r\n\r\n" not in got:
        if not (piece := source.recv(65536)):
            return b""
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    pieces, missing = [got], (int(length[1]) if length else 0) - len(body)
    while missing > 0:
        if not (piece := source.recv(min(missing, 1 << 20))):
            return b""
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
