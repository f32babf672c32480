"""One message as a role sees it: raw bytes and where they came from."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Record:
    """A message of an input topic, undecoded. `timestamp_ms` is the broker's, in Unix milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def at(self) -> datetime:
        """The broker's timestamp as an aware UTC time, exact to the millisecond."""
        return _EPOCH + timedelta(milliseconds=self.timestamp_ms)
