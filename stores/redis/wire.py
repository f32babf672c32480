"""Redis' wire protocol (RESP2) as pure functions: packing of commands, parsing of replies from chunks.

Of our own because of its cost: a pipeline of 128 scripts that carry 8 KB each way takes a third of the CPU
that the client library's awaited, element by element parser takes; coalescing is worth little without it.
"""

from collections.abc import Iterator, Sequence

_SIMPLE, _ERROR, _INTEGER, _BULK, _ARRAY = b"+-:$*"
_END = b"\r\n"


class ErrorReply(Exception):  # noqa: N818  it is a value among replies; the door translates it
    """An error that the server answered to one command; `code` is its first word."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        self.code = text.partition(" ")[0]


class ProtocolViolationError(Exception):
    """The peer does not speak RESP2."""


class _Incomplete(Exception):  # noqa: N818  control flow of the parser
    """The reply ends beyond the data; at least `size` bytes are needed."""

    def __init__(self, size: int) -> None:
        self.size = size


Reply = bytes | int | ErrorReply | None | list["Reply"]


def pack(arguments: Sequence[bytes]) -> bytes:
    """Return one command as bytes."""
    parts = [b"*%d\r\n" % len(arguments)]
    parts += [b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in arguments]
    return b"".join(parts)


class ReplyParser:
    """Turns chunks of bytes into whole replies."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0
        self._needed = 0

    def feed(self, chunk: bytes) -> Iterator[Reply]:
        """Yield the replies that are complete with this chunk. Raises ProtocolViolationError."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size < self._needed:
            return  # a large value is joined once, when all of it is here
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        place = 0
        needed = 0
        try:
            while place < len(data):
                reply, place = _parse(data, place)
                yield reply
        except _Incomplete as incomplete:
            needed = incomplete.size
        rest = data[place:]
        self._chunks = [rest] if rest else []
        self._size = len(rest)
        self._needed = needed - place if rest else 0


def _parse(data: bytes, place: int) -> tuple[Reply, int]:
    end = data.find(_END, place)
    if end < 0:
        raise _Incomplete(len(data) + 1)
    kind = data[place]
    after = end + 2
    if kind == _BULK:
        return _parse_bulk(data, int(data[place + 1 : end]), after)
    if kind == _ARRAY:
        return _parse_array(data, int(data[place + 1 : end]), after)
    if kind == _INTEGER:
        return int(data[place + 1 : end]), after
    if kind == _SIMPLE:
        return data[place + 1 : end], after
    if kind == _ERROR:
        return ErrorReply(data[place + 1 : end].decode(errors="replace")), after
    message = f"A reply began with {data[place : place + 1]!r}: this is not a Redis server."
    raise ProtocolViolationError(message)


def _parse_bulk(data: bytes, size: int, place: int) -> tuple[Reply, int]:
    if size < 0:
        return None, place
    end = place + size
    if end + 2 > len(data):
        raise _Incomplete(end + 2)
    return data[place:end], end + 2


def _parse_array(data: bytes, count: int, place: int) -> tuple[Reply, int]:
    if count < 0:
        return None, place
    items: list[Reply] = []
    for _ in range(count):
        item, place = _parse(data, place)
        items.append(item)
    return items, place
