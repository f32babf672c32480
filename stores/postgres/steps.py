"""Is the outcome of a step recorded already? Asked before a model or a tool is called again."""

from schemas.records import Generation, ToolResult
from stores.postgres.pool import Database
from stores.postgres.rows import record_of
from stores.postgres.statements import statements


class Steps:
    """Recorded outcomes of generations and tool calls."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("steps")

    async def generation(self, generation_id: str) -> Generation | None:
        """Return the recorded outcome of a generation, its JSON to the byte."""
        row = await self._database.fetch_one(self._sql["generation"], generation_id)
        return None if row is None else record_of(Generation, row)

    async def tool_result(self, tool_call_id: str) -> ToolResult | None:
        """Return the recorded outcome of a tool call, its JSON to the byte."""
        row = await self._database.fetch_one(self._sql["tool_result"], tool_call_id)
        return None if row is None else record_of(ToolResult, row)

    async def of_session(self, session_id: str) -> frozenset[str]:
        """Return the ids of a session's generations and tool calls, as far as they are recorded."""
        rows = await self._database.fetch(self._sql["of_session"], session_id)
        return frozenset(str(row["id"]) for row in rows)

    async def is_erased(self, session_id: str) -> bool:
        """Return whether the session was erased: its steps are dropped."""
        row = await self._database.fetch_one(self._sql["is_erased"], session_id)
        return row is not None and bool(row["is_erased"])
