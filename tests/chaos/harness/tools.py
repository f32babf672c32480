"""Tools that take their time, for the harness: they write down their starts as the others do."""

import asyncio
import os

from maestro.tools import ToolContext, tool
from tests.fleet.effects import Nothing, work

SECONDS = "CHAOS_WAIT_S"
NAME = "wait"
BRIEF = "pause"
BRIEF_S = 2.0


@tool(effect="idempotent", time_limit_s=1800.0)
async def wait(_arguments: Nothing, context: ToolContext) -> str:
    """Wait for a long time."""
    await work(NAME, context.step_id)
    await asyncio.sleep(float(os.environ.get(SECONDS, "20")))
    return "waited"


@tool(effect="idempotent")
async def pause(_arguments: Nothing, context: ToolContext) -> str:
    """Wait for two seconds."""
    await work(BRIEF, context.step_id)
    await asyncio.sleep(BRIEF_S)
    return "paused"
