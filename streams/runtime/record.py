"""One message as a role sees it: raw bytes and where they came from."""

from msgspec import Struct


class Record(Struct, frozen=True, gc=False):
    """A message of an input topic, undecoded. `timestamp_ms` is the broker's, in Unix milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
