"""Lists for people: sessions, runs, tool calls that wait for a word; and what came of a command."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from stores.postgres.pool import Database, Row
from stores.postgres.rows import values_of
from stores.postgres.session_logs import StoredLog, stored_logs
from stores.postgres.statements import statements


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One question that a person has not answered yet."""

    tool_call_id: str
    session_id: str
    run_id: str
    user_id: str
    tool_name: str
    arguments: str
    """JSON, as the model gave it."""
    asked_at: datetime
    due_at: datetime
    """When no answer becomes a denial."""
    is_unknown: bool
    """Whether the call was started before, and nobody knows whether it did its work."""


class Listing:
    """Lists from the record. Every method raises TransientError when the server cannot be reached."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("listing")

    async def sessions(self, *, user_id: str | None, with_archived: bool, limit: int) -> list[dict[str, Any]]:
        """Return sessions, the one with the newest activity first; `user_id` None: everybody's."""
        rows = await self._database.fetch(self._sql["sessions"], user_id, with_archived, limit)
        return [values_of(row) for row in rows]

    async def runs(
        self, *, session_id: str | None, user_id: str | None, statuses: Sequence[str], limit: int
    ) -> list[dict[str, Any]]:
        """Return runs, the newest first; None and no status leave a condition out."""
        wanted = list(statuses) or None
        rows = await self._database.fetch(self._sql["runs"], session_id, user_id, wanted, limit)
        return [values_of(row) for row in rows]

    async def approvals(
        self,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        tool_call_id: str | None = None,
        limit: int,
    ) -> list[Approval]:
        """Return the open questions, the oldest first; None leaves a condition out."""
        rows = await self._database.fetch(self._sql["approvals"], user_id, session_id, tool_call_id, limit)
        return [_approval(row) for row in rows]

    async def caused_by(self, session_id: str, event_id: str) -> list[StoredLog]:
        """Return the accepted entries that an event caused, in order; none while it is not recorded."""
        return stored_logs(await self._database.fetch(self._sql["caused_by"], session_id, event_id))

    async def owner(self, session_id: str) -> str | None:
        """Return whose session it is, None when it is not recorded."""
        row = await self._database.fetch_one(self._sql["owner"], session_id)
        return None if row is None else str(row["user_id"])


def _approval(row: Row) -> Approval:
    values = values_of(row)
    payload = orjson.loads(values.pop("payload"))
    return Approval(
        **values,
        arguments=payload["arguments"],
        due_at=datetime.fromtimestamp(payload["due_ms"] / 1000, UTC),
        is_unknown=payload["is_unknown"],
    )
