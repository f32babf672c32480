"""What authors of tools import: `from maestro.tools import tool, ToolContext, ToolError`."""

from schemas.lists import EffectClass
from streams.execute.tool import Tool, ToolContext, ToolError, tool

__all__ = ["EffectClass", "Tool", "ToolContext", "ToolError", "tool"]
