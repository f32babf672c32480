"""A tool that takes its time, for the harness: it writes down its starts as the others do."""

import asyncio
import os

from maestro.tools import ToolContext, tool
from tests.fleet.effects import Nothing, work

SECONDS = "CHAOS_WAIT_S"
NAME = "wait"


@tool(effect="idempotent", time_limit_s=1800.0)
async def wait(_arguments: Nothing, context: ToolContext) -> str:
    """Wait for a long time."""
    await work(NAME, context.step_id)
    await asyncio.sleep(float(os.environ.get(SECONDS, "20")))
    return "waited"
