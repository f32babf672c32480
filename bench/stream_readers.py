"""A thousand readers of one stream in a process of their own, as cheap as Python lets them be.

They look at no byte before the end: each piece is noted with the time at which it was taken from its socket.
Started by `bench/api_streams.py` with port, path and number of readers, the headers as JSON on the first line
of stdin. Says `open` when every stream has begun. The next line of stdin is the time, in nanoseconds of the
monotonic clock, from which tokens count; when nothing has come for a while after it, says how long each took.
"""

import gc
import select
import socket
import sys
import time
from collections.abc import Mapping
from typing import Final

import orjson

_OPEN_AT_ONCE: Final = 50
_PATIENCE_S: Final = 60.0
_QUIET_S: Final = 2.0
_PIECE_BYTES: Final = 65_536
_MARK: Final = b'"text":"'

Piece = tuple[int, int, bytes]
"""A socket, when it was read, and what it had."""


class Readers:
    """Open streams, and all that has come of them."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port = port
        self._request = request
        self._sockets: dict[int, socket.socket] = {}
        self._poll = select.epoll()
        self.pieces: list[Piece] = []

    def open(self, count: int) -> None:
        """Open streams, some at a time.

        Raises:
            TimeoutError: they did not begin.
            RuntimeError: one was refused.

        """
        begun: set[int] = set()
        deadline = time.monotonic() + _PATIENCE_S
        while len(begun) < count:
            while len(self._sockets) < min(count, len(begun) + _OPEN_AT_ONCE):
                self._connect()
            before = len(self.pieces)
            self.take(1.0)
            for number, _, data in self.pieces[before:]:
                if b"HTTP/1.1" in data and not data.startswith(b"HTTP/1.1 200"):
                    message = "a stream was not opened; see the log of the API"
                    raise RuntimeError(message)
                if b"retry:" in data:
                    begun.add(number)
            if time.monotonic() > deadline:
                message = f"{len(begun)} of {count} streams have begun"
                raise TimeoutError(message)

    def take(self, within_s: float) -> int:
        """Read what has come, waiting for the first of it; return how many sockets had something."""
        sockets, pieces, now_ns = self._sockets, self.pieces, time.monotonic_ns
        ready = self._poll.poll(within_s)
        for number, _ in ready:
            data = sockets[number].recv(_PIECE_BYTES)
            pieces.append((number, now_ns(), data))
            if not data:
                self._poll.unregister(number)
        return len(ready)

    def _connect(self) -> None:
        stream = socket.create_connection(("127.0.0.1", self._port))
        stream.sendall(self._request)
        stream.setblocking(False)
        self._sockets[stream.fileno()] = stream
        self._poll.register(stream.fileno(), select.EPOLLIN)


def delays_ms(pieces: list[Piece], since_ns: int) -> list[list[float]]:
    """Return how long each token took to each reader, for those whose text is a time since `since_ns`."""
    rest: dict[int, bytes] = {}
    delays: dict[int, list[float]] = {}
    for number, now_ns, piece in pieces:
        data = rest.get(number, b"") + piece
        whole = data.rfind(b"\n\n") + 1
        at = data.find(_MARK, 0, whole)
        while at >= 0:
            begins = at + len(_MARK)
            sent_ns = int(data[begins : data.find(b'"', begins)])
            if sent_ns >= since_ns:
                delays.setdefault(sent_ns, []).append((now_ns - sent_ns) / 1e6)
            at = data.find(_MARK, begins, whole)
        rest[number] = data[whole:]
    return list(delays.values())


def request_for(path: str, port: int, headers: Mapping[str, str]) -> bytes:
    """Return the request for a stream."""
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode()


def main() -> None:
    """Open the streams, take what comes, and tell how long it took."""
    port, path, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    readers = Readers(port, request_for(path, port, orjson.loads(sys.stdin.readline())))
    readers.open(count)
    gc.disable()
    print("open", flush=True)
    since_ns = 0
    while readers.take(_QUIET_S if since_ns else 0.2) or not since_ns:
        if not since_ns and select.select([sys.stdin], [], [], 0)[0]:
            since_ns = int(sys.stdin.readline())
    print(orjson.dumps(delays_ms(readers.pieces, since_ns)).decode(), flush=True)


if __name__ == "__main__":
    main()
