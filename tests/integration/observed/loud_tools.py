"""Tools that quote what they are told, in their results and in their errors."""

from pydantic import BaseModel

from maestro.tools import ToolContext, tool


class Words(BaseModel):
    """What somebody said."""

    text: str


@tool(effect="pure")
async def shout(arguments: Words, _context: ToolContext) -> str:
    """Fail, quoting the words, with a cause that quotes them too."""
    try:
        _ = int(arguments.text)
    except ValueError as error:
        message = f"cannot shout {arguments.text}"
        raise RuntimeError(message) from error
    return "shouted"


@tool(effect="pure")
async def repeat_after_me(arguments: Words, _context: ToolContext) -> str:
    """Say the words again."""
    return arguments.text
