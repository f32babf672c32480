"""Tools of every effect class that write down each start in a file of their own, outside all stores.

Loaded by execute workers through MAESTRO_TOOL_MODULES; EFFECTS_FOLDER says where the files are.
"""

import os
from collections import Counter
from pathlib import Path

from pydantic import BaseModel

from maestro.tools import Reconciled, ToolContext, WasDone, WasNotDone, tool

FOLDER = "EFFECTS_FOLDER"
NAMES = ("look", "put", "send", "charge")


class Nothing(BaseModel):
    """No arguments."""


def starts(folder: Path, name: str) -> Counter[str]:
    """Return how often each step of the tool was started."""
    path = folder / f"{name}.txt"
    return Counter(path.read_text().split()) if path.exists() else Counter()


def _write_down(name: str, step_id: str) -> None:
    # One short write to a file opened for appending is whole, whichever processes write at the same time.
    path = Path(os.environ[FOLDER]) / f"{name}.txt"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, f"{step_id}\n".encode())
    finally:
        os.close(handle)


@tool(effect="pure")
async def look(_arguments: Nothing, context: ToolContext) -> str:
    """Look at something."""
    _write_down("look", context.step_id)
    return "seen"


@tool(effect="idempotent")
async def put(_arguments: Nothing, context: ToolContext) -> str:
    """Put something in its place."""
    _write_down("put", context.step_id)
    return "put"


async def _was_sent(_arguments: Nothing, context: ToolContext) -> Reconciled:
    done = starts(Path(os.environ[FOLDER]), "send")[context.step_id]
    return WasDone("sent") if done else WasNotDone()


@tool(effect="reconcile", reconcile=_was_sent)
async def send(_arguments: Nothing, context: ToolContext) -> str:
    """Send something."""
    _write_down("send", context.step_id)
    return "sent"


@tool(effect="once")
async def charge(_arguments: Nothing, context: ToolContext) -> str:
    """Charge somebody."""
    _write_down("charge", context.step_id)
    return "charged"
