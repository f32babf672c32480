"""Why a decision was made: the columns that all its log entries share, as the fold needs them."""

from dataclasses import dataclass
from typing import Self

from schemas.records import TaskLogs
from streams.session.event import Event, micros_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The event behind a decision, and the term that it was decided under."""

    id: str
    occurred_at_us: int
    term: int

    @property
    def at_ms(self) -> int:
        """The broker's time of the event in whole milliseconds since 1970."""
        return self.occurred_at_us // 1000

    @classmethod
    def of_event(cls, event: Event, *, term: int) -> Self:
        """Return the cause that `event` is for a decision of `term`."""
        return cls(id=event.id, occurred_at_us=micros_of(event.at), term=term)

    @classmethod
    def of_logs(cls, logs: TaskLogs) -> Self:
        """Return the cause that a recorded decision names."""
        return cls(id=logs.cause_id, occurred_at_us=micros_of(logs.occurred_at), term=logs.term)
