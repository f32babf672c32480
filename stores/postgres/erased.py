"""Erased sessions: their rows, and what is left to do until nothing of them can come back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import orjson

from stores.postgres.pool import Transaction
from stores.postgres.statements import statements


@dataclass(frozen=True, slots=True)
class Unswept:
    """A session that was erased not long ago."""

    session_id: str
    ends: Mapping[str, int] | None
    """Where the topics (full names) of its partition ended after it was erased; None: not asked yet."""


class ErasedSessions:
    """The table of erased sessions, inside a transaction of the caller."""

    def __init__(self) -> None:
        self._sql = statements("erased")

    async def erase(self, transaction: Transaction, sessions: Collection[str]) -> None:
        """Delete the rows of the sessions, and let no sink write any from now on."""
        await transaction.execute(self._sql["mark"], list(sessions))
        await self.delete_rows(transaction, sessions)

    async def delete_rows(self, transaction: Transaction, sessions: Collection[str]) -> None:
        """Delete the rows of the sessions."""
        await transaction.execute(self._sql["delete_rows"], list(sessions))

    async def unswept(self, transaction: Transaction, limit: int) -> list[Unswept]:
        """Return sessions that are not swept yet; no other process gets them until the transaction ends."""
        return [
            Unswept(str(row["session_id"]), None if row["ends"] is None else orjson.loads(row["ends"]))
            for row in await transaction.fetch(self._sql["unswept"], limit)
        ]

    async def note_ends(self, transaction: Transaction, session_id: str, ends: Mapping[str, int]) -> None:
        """Keep where the topics of the session's partition end now."""
        await transaction.execute(self._sql["note_ends"], session_id, orjson.dumps(ends).decode())

    async def are_passed(self, transaction: Transaction, partition: int, ends: Mapping[str, int]) -> bool:
        """Return whether every sink that reads these topics has passed the ends of the partition."""
        rows = await transaction.fetch(self._sql["are_passed"], partition, orjson.dumps(ends).decode())
        return bool(rows[0]["are_passed"])

    async def mark_swept(self, transaction: Transaction, session_id: str) -> None:
        """Note that nothing of the session is left."""
        await transaction.execute(self._sql["swept"], session_id)
