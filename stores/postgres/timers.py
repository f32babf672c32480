"""What do the sessions of a partition wait for? Asked when Redis lost its timers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import orjson

from stores.postgres.pool import Database
from stores.postgres.statements import statements

_BEFORE_ALL = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class RecordedTimer:
    """One moment that a session waits for."""

    session_id: str
    key: str
    kind: str
    due_ms: int


class Timers:
    """Timers on the session records, in pages by session."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("timers")

    async def of_partition(
        self, partition: int, *, after: str | None = None, limit: int = 1000
    ) -> tuple[RecordedTimer, ...]:
        """Return the timers of the next `limit` sessions of a partition, in session order.

        Go on with `after` = the session id of the last timer; an empty answer is the end.
        """
        rows = await self._database.fetch(self._sql["of_partition"], partition, after or _BEFORE_ALL, limit)
        return tuple(timer for row in rows for timer in _timers_of(str(row["id"]), row["timers"]))


def _timers_of(session_id: str, text: str) -> Sequence[RecordedTimer]:
    found = cast("list[Mapping[str, str | int]]", orjson.loads(text))
    return [
        RecordedTimer(session_id, str(timer["key"]), str(timer["kind"]), int(timer["due_ms"]))
        for timer in found
    ]
