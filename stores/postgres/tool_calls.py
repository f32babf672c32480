"""Where a tool call comes from, and what it gave."""

from dataclasses import dataclass

from schemas.records import Generation, Task, ToolCall, ToolResult
from stores.postgres.pool import Database
from stores.postgres.rows import record_of
from stores.postgres.statements import statements
from stores.postgres.steps import Steps


@dataclass(frozen=True, slots=True)
class ToolCallContext:
    """A tool call with everything around it. Parts that are not recorded (yet) are None."""

    call: ToolCall
    result: ToolResult | None
    generation: Generation | None
    task: Task | None


class ToolCalls:
    """Tool calls in the record."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._steps = Steps(database)
        self._sql = statements("tool_calls")

    async def context(self, tool_call_id: str) -> ToolCallContext | None:
        """Return the call, its result, its generation and its task; None when the call is unknown."""
        row = await self._database.fetch_one(self._sql["call"], tool_call_id)
        if row is None:
            return None
        call = record_of(ToolCall, row)
        task = await self._database.fetch_one(self._sql["task"], call.task_id)
        return ToolCallContext(
            call=call,
            result=await self._steps.tool_result(call.id),
            generation=await self._steps.generation(call.generation_id),
            task=None if task is None else record_of(Task, task),
        )


async def get_tool_call_context(database: Database, tool_call_id: str) -> ToolCallContext | None:
    """Return the ToolCall, its ToolResult, its Generation and its Task."""
    return await ToolCalls(database).context(tool_call_id)
