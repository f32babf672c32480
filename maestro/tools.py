"""What authors of tools import: `from maestro.tools import tool, ToolContext, ToolError`."""

from schemas.agent_file import Approval
from schemas.errors import TransientError
from schemas.lists import EffectClass
from streams.execute.reconcile import CannotTell, Reconciled, WasDone, WasNotDone
from streams.execute.tool import Tool, ToolContext, ToolError, tool

__all__ = [
    "Approval",
    "CannotTell",
    "EffectClass",
    "Reconciled",
    "Tool",
    "ToolContext",
    "ToolError",
    "TransientError",
    "WasDone",
    "WasNotDone",
    "tool",
]
