"""Redis' wire protocol as hiredis speaks it, with types: packing of commands, whole replies from chunks."""

import re
from collections.abc import Callable, Iterator
from typing import cast

import hiredis

# Until version 6 the server wraps what it refuses inside a script: "ERR Error running script (…): … -OOM …".
_IN_SCRIPT = re.compile(r"ERR Error running script .*?: -([A-Z]+) ")


class ErrorReply(Exception):  # noqa: N818  it is a value among replies; the door translates it
    """An error that the server answered to one command; `code` is its first word, inside a script too."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        wrapped = _IN_SCRIPT.match(text)
        self.code = wrapped.group(1) if wrapped else text.partition(" ")[0]


class ProtocolViolationError(Exception):
    """The peer does not speak RESP2."""


Reply = bytes | int | ErrorReply | None | list["Reply"]

_MORE = object()
"""What the reader answers when a reply has not ended yet."""

# The library's stub says a tuple of one argument, and names no result.
pack = cast("Callable[[tuple[bytes, ...]], bytes]", hiredis.pack_command)


class ReplyParser:
    """Turns chunks of bytes into whole replies."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader(
            protocolError=ProtocolViolationError, replyError=ErrorReply, notEnoughData=_MORE
        )

    def feed(self, chunk: bytes) -> Iterator[Reply]:
        """Yield the replies that are complete with this chunk. Raises ProtocolViolationError."""
        self._reader.feed(chunk)
        while (reply := cast("Reply", self._reader.gets())) is not _MORE:
            yield reply
