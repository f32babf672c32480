"""Types of what callers send: ids in paths, titles, pages; malformed ones are a 422 problem, everywhere."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from schemas.fields import Text

MOST_PAGES = 1_000_000
"""Highest page number: far beyond what anybody has, and its offset still fits the database's integers."""

TITLE_CHARS = 80
"""Longest title: what a session keeps of one, so that it reads back what was sent."""

Left = SkipJsonSchema[None]
"""Stands for a parameter that is left out: unlike null in a body nobody can send it, so it is not offered."""

_UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_EXAMPLE = "0197a3c4-5b1e-7c7a-9a51-3f0f6f1c2d3e"
_MOST_ID_CHARS = 200


def one_line(text: str) -> str:
    """Return `text` with each run of white space as one space; U+0000 becomes U+FFFD, as in the record.

    Raises:
        ValueError: nothing else is in it.

    """
    line = " ".join(text.replace("\x00", "\ufffd").split())
    if not line:
        message = "has only white space"
        raise ValueError(message)
    return line


SessionId = Annotated[
    str,
    Path(alias="session_id", pattern=_UUID, description="Id of a session of yours.", examples=[_EXAMPLE]),
    AfterValidator(str.lower),
]
TaskId = Annotated[
    str,
    Path(alias="task_id", pattern=_UUID, description="Id of a session's task.", examples=[_EXAMPLE]),
    AfterValidator(str.lower),
]
RunId = Annotated[
    str,
    Path(alias="run_id", pattern=_UUID, description="Id of a run of yours.", examples=[_EXAMPLE]),
    AfterValidator(str.lower),
]
ToolCallId = Annotated[
    Text,
    Path(
        alias="tool_call_id",
        min_length=1,
        max_length=_MOST_ID_CHARS,
        description="Id of a tool call in a session of yours.",
        examples=[_EXAMPLE],
    ),
]
AgentId = Annotated[
    Text,
    Path(
        alias="agent_id",
        min_length=1,
        max_length=_MOST_ID_CHARS,
        description="Id of an agent that is yours or built in.",
        examples=["assistant"],
    ),
]

Title = Annotated[
    str,
    StringConstraints(min_length=1, max_length=TITLE_CHARS, pattern=r"\S"),
    AfterValidator(one_line),
    Field(description="What lists show, on one line.", examples=["Sales of last week"]),
]

PageNumber = Annotated[int, Query(ge=1, le=MOST_PAGES, description="Number of the page, from 1.")]
