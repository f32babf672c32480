"""What applications read from the record: every question names the user, and gets nothing of another's."""

from datetime import UTC, date, datetime, time, timedelta

from schemas.records import Run
from stores.postgres.costs import SessionCost
from stores.postgres.own_writes import Caused, caused_of
from stores.postgres.pool import Database
from stores.postgres.rows import record_of, values_of
from stores.postgres.session_logs import StoredLog, stored_logs
from stores.postgres.statements import statements
from stores.postgres.tool_calls import ToolCallContext, ToolCalls
from stores.postgres.web_rows import MessageRow, SessionDetail, SessionRow, UsageRow, page_of

_NEWEST_RUNS = 1_000
_NEWEST_ENTRIES = 2_000


class Web:
    """Answers for one user each. What is unknown, erased or somebody else's is None or empty alike.

    Ids must be UUIDs where the record has UUIDs. Pages count from 1. Every method raises TransientError
    when the server cannot be reached.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("web")
        self._tool_calls = ToolCalls(database)

    async def sessions(
        self,
        user_id: str,
        *,
        page: int,
        per_page: int,
        agent_id: str | None = None,
        archived: bool = False,
        search: str | None = None,
        min_messages: int | None = None,
    ) -> tuple[list[SessionRow], int]:
        """Return a page of sessions, the newest activity first, and how many there are on all pages.

        `search` is a part of the title, in upper or lower case; no character of it has a meaning.
        """
        asked = (user_id, archived, per_page, (page - 1) * per_page, agent_id, search or "")
        if min_messages:
            rows = await self._database.fetch(self._sql["sessions_with_messages"], *asked, min_messages)
        else:
            rows = await self._database.fetch(self._sql["sessions"], *asked)
        return page_of(rows, lambda values: SessionRow(**values))

    async def session(self, user_id: str, session_id: str) -> SessionDetail | None:
        """Return one session."""
        row = await self._database.fetch_one(self._sql["session"], user_id, session_id)
        return None if row is None else SessionDetail(**values_of(row))

    async def messages(
        self, user_id: str, session_id: str, *, page: int, per_page: int
    ) -> tuple[list[MessageRow], int]:
        """Return a page of a conversation, in order, and how many messages are on all pages.

        What was rolled back is no part of the conversation.
        """
        start = (page - 1) * per_page
        rows = await self._database.fetch(self._sql["messages"], user_id, session_id, per_page, start)
        return page_of(rows, lambda values: MessageRow(**values))

    async def messages_after(
        self, user_id: str, session_id: str, *, after: int, limit: int
    ) -> list[MessageRow]:
        """Return at most `limit` messages with a `sequence_order` greater than `after`, in order."""
        rows = await self._database.fetch(self._sql["messages_after"], user_id, session_id, after, limit)
        return [MessageRow(**values_of(row)) for row in rows]

    async def run(self, user_id: str, run_id: str) -> Run | None:
        """Return the newest accepted state of a run.

        For a moment there may be none though there is a run (see `has_run`): when its state is in the record
        before the log that accepts it.
        """
        row = await self._database.fetch_one(self._sql["run"], user_id, run_id)
        return None if row is None else record_of(Run, row)

    async def has_run(self, user_id: str, run_id: str) -> bool:
        """Whether there is a run, its newest state accepted or not."""
        row = await self._database.fetch_one(self._sql["has_run"], user_id, run_id)
        return row is not None and bool(row["is_there"])

    async def runs(self, user_id: str, session_id: str, *, page: int, per_page: int) -> tuple[list[Run], int]:
        """Return a page of a session's runs, the newest first, and how many are on all pages."""
        start = (page - 1) * per_page
        rows = await self._database.fetch(self._sql["runs"], user_id, session_id, per_page, start)
        return page_of(rows, lambda values: record_of(Run, values))

    async def active_runs(self, user_id: str) -> int:
        """Return how many of the user's newest 1,000 runs are queued, running or waiting."""
        row = await self._database.fetch_one(self._sql["active_runs"], user_id, _NEWEST_RUNS)
        return 0 if row is None else int(row["active"])

    async def task_trail(
        self, user_id: str, task_id: str, *, after: int = 0, limit: int | None = None
    ) -> list[StoredLog] | None:
        """Return the entries of a task's log after a sequence, in order; `limit` None: all of them."""
        task = await self._database.fetch_one(self._sql["task"], user_id, task_id)
        if task is None:
            return None
        rows = await self._database.fetch(self._sql["trail"], user_id, task["session_id"], after, limit)
        return stored_logs(rows)

    async def cost(self, user_id: str, session_id: str) -> SessionCost | None:
        """Return what a session cost."""
        row = await self._database.fetch_one(self._sql["cost"], user_id, session_id)
        return None if row is None else SessionCost(row["total"], row["generations"], row["unpriced"])

    async def tool_call(self, user_id: str, tool_call_id: str) -> ToolCallContext | None:
        """Return a tool call with its result, its generation and its task."""
        row = await self._database.fetch_one(self._sql["tool_call"], user_id, tool_call_id)
        if row is None or not row["is_theirs"]:
            return None
        return await self._tool_calls.context(tool_call_id)

    async def usage(self, user_id: str, *, since: date, until: date) -> list[UsageRow]:
        """Return tokens and cost by day and model, from the day `since` to the day `until`, both in UTC."""
        start, end = (datetime.combine(day, time.min, UTC) for day in (since, until))
        rows = await self._database.fetch(self._sql["usage"], user_id, start, end + timedelta(days=1))
        return [UsageRow(**values_of(row)) for row in rows]

    async def caused(self, user_id: str, session_id: str, event_id: str) -> Caused | None:
        """Return what an event caused, as far as it is recorded; None while the record does not know of it.

        Looks at the newest 2,000 entries of the session.
        """
        rows = await self._database.fetch(self._sql["caused"], user_id, session_id, event_id, _NEWEST_ENTRIES)
        erased = await self._database.fetch_one(self._sql["is_erased"], session_id)
        return caused_of(rows, is_erased=erased is not None and bool(erased["is_erased"]))
