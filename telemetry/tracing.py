"""W3C trace context: which trace a message belongs to, and the header that carries it (`traceparent`)."""

import re
from collections.abc import Iterable
from hashlib import blake2b
from secrets import token_hex

from msgspec import Struct

HEADER = "traceparent"
_HEADER_CHARS = len(HEADER)
_FORMAT = re.compile(
    rb"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}(?P<more>-.*)?"
)
_NO_TRACE = b"0" * 32
_NO_SPAN = b"0" * 16


class Trace(Struct, frozen=True, gc=False):
    """A place in a trace: `trace_id` is 32, `span_id` 16 lower-case hexadecimal digits, neither all zero."""

    trace_id: str
    span_id: str

    @property
    def traceparent(self) -> str:
        """The header's value; always marked as sampled."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    def child(self) -> "Trace":
        """Return a new span of the same trace."""
        return Trace(self.trace_id, token_hex(8))


def parse(headers: Iterable[tuple[str, bytes | None]]) -> Trace | None:
    """Return the trace that a message's headers name; None when there is none or it is malformed.

    As W3C asks, higher versions are read like version 00 and anything malformed counts as absent.
    """
    for name, value in headers:
        if len(name) == _HEADER_CHARS and name.lower() == HEADER and value is not None:
            return _parse_value(value)
    return None


def derived(event_id: str) -> Trace:
    """Return the trace of an event that brought none: always the same, so that deciding again repeats it."""
    digest = _DIGEST.copy()
    digest.update(event_id.encode())
    text = digest.hexdigest()
    return Trace(text[:32], text[32:])


_DIGEST = blake2b(digest_size=24, person=b"maestro-trace")
"""Before an event's id: made once, because its parameters take longer than the id."""


def _parse_value(value: bytes) -> Trace | None:
    match = _FORMAT.fullmatch(value.strip())
    if match is None:
        return None
    version, trace, span, more = match.groups()
    if version == b"ff" or (version == b"00" and more) or trace == _NO_TRACE or span == _NO_SPAN:
        return None
    return Trace(trace.decode(), span.decode())
