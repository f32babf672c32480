"""What does the record know of a session's log? Asked by rebuilds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.lists import Action
from schemas.records import LogEntry
from stores.postgres.pool import Database, Row
from stores.postgres.rows import values_of
from stores.postgres.statements import statements


@dataclass(frozen=True, slots=True)
class Head:
    """Where a session's log stands in the record. Unknown: fence 0, sequence 0, empty hash."""

    fence: int
    """The term in force: offset + 1 of the accepted fence, 0 before any."""
    sequence: int
    hash: str
    erased: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLog:
    """One accepted entry, with the columns of the decision that it belongs to."""

    id: str
    session_id: str
    task_id: str
    user_id: str
    sequence: int
    action: Action
    run_id: str | None
    tool_name: str | None
    tool_call_id: str | None
    success: bool
    payload: str
    """JSON, to the byte as it was hashed."""
    previous_hash: str
    hash: str
    term: int
    cause_id: str
    cause_topic: str
    cause_partition: int
    cause_offset: int
    trace_id: str
    occurred_at: datetime

    def entry(self) -> LogEntry:
        """Return the entry as it was published, without its decision."""
        return LogEntry(
            id=self.id,
            sequence=self.sequence,
            action=self.action,
            run_id=self.run_id,
            tool_name=self.tool_name,
            tool_call_id=self.tool_call_id,
            success=self.success,
            payload=self.payload,
            previous_hash=self.previous_hash,
            hash=self.hash,
        )


def stored_logs(rows: Sequence[Row]) -> list[StoredLog]:
    """Return rows of `task_logs` as values."""
    logs: list[StoredLog] = []
    for row in rows:
        values = values_of(row)
        values["action"] = Action(values["action"])
        logs.append(StoredLog(**values))
    return logs


class SessionLogs:
    """The accepted logs of sessions. Void entries and fences are not in the record."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("session_logs")

    async def head(self, session_id: str) -> Head:
        """Return where the session's log stands.

        Raises:
            TransientError: the record cannot answer now.

        """
        row = await self._database.fetch_one(self._sql["head"], session_id)
        if row is None:
            return Head(0, 0, "", erased=False)
        return Head(row["fence"], row["sequence"], row["hash"], erased=row["erased"])

    async def entries(self, session_id: str, *, after: int = 0, upto: int | None = None) -> list[StoredLog]:
        """Return the entries with `after` < sequence ≤ `upto` (None: to the end), in sequence order."""
        return stored_logs(await self._database.fetch(self._sql["entries"], session_id, after, upto))

    async def since_checkpoint(self, session_id: str, *, upto: int, context_format: int) -> list[StoredLog]:
        """Return the entries from the last checkpoint of that format up to the sequence `upto`, in order.

        Where there is none, from the first entry on.
        """
        rows = await self._database.fetch(self._sql["since_checkpoint"], session_id, upto, context_format)
        return stored_logs(rows)

    async def forked_upto(self, session_id: str) -> int:
        """Return the entry up to which the log was copied from another session; 0 for one of its own."""
        row = await self._database.fetch_one(self._sql["forked_upto"], session_id)
        return 0 if row is None else int(row["sequence"])
