"""A message as it is read from Kafka, before it is decoded."""

from collections.abc import Sequence
from typing import Protocol

Place = tuple[str, int]
"""A topic (full name) and a partition."""


class Message(Protocol):
    """What consumers return; times are milliseconds since 1970-01-01 UTC, set by the broker."""

    @property
    def topic(self) -> str:
        """Full name of the topic."""
        ...

    @property
    def partition(self) -> int:
        """Number of the partition."""
        ...

    @property
    def offset(self) -> int:
        """Place in the partition."""
        ...

    @property
    def timestamp(self) -> int:
        """When the broker took it."""
        ...

    @property
    def key(self) -> bytes | None:
        """Key, as it was sent."""
        ...

    @property
    def value(self) -> bytes | None:
        """Value, as it was sent; None is a tombstone."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Headers, as they were sent."""
        ...
