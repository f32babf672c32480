"""Tools that the tests of this folder start, and a call of them."""

import asyncio
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from schemas.examples import BORN, TOOL_CALL
from schemas.records import ToolCall
from streams.execute.tool import Tool, ToolContext, tool

CONTEXT = ToolContext(session_id="s", user_id="u", run_id="r", step_id="step")


class Arguments(BaseModel):
    """What the tools take."""

    count: int = 0
    names: list[int] = []


def returning(value: Any, *, pool: str = "default", name: str = "give") -> Tool:
    """Return a tool that returns `value`."""

    @tool(effect="pure", name=name, pool=pool)
    async def give(_arguments: Arguments, _context: ToolContext) -> Any:
        """Give it."""
        return value

    return give


def raising(error: BaseException) -> Tool:
    """Return a tool that raises `error`."""

    @tool(effect="pure", name="fail")
    async def fail(_arguments: Arguments, _context: ToolContext) -> None:
        """Fail."""
        raise error

    return fail


def waiting(gate: asyncio.Event, *, pool: str = "default") -> Tool:
    """Return a tool that ends when the gate opens."""

    @tool(effect="pure", name=f"wait-{pool}", pool=pool)
    async def wait(_arguments: Arguments, _context: ToolContext) -> str:
        """Wait."""
        await gate.wait()
        return "open"

    return wait


def call(name: str, arguments: str = "{}", *, deadline_s: float = 300) -> ToolCall:
    """Return a call that was born at the examples' time."""
    return TOOL_CALL.model_copy(
        update={"name": name, "arguments": arguments, "deadline_at": BORN + timedelta(seconds=deadline_s)}
    )
