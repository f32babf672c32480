"""A message as a consumer returns it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sent:
    """A message."""

    offset: int
    partition: int = 0
    topic: str = "messages"
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = b"x" * 100
    headers: tuple[tuple[str, bytes | None], ...] = ()
