"""Tools of every effect class that write down each start in a file of their own, outside all stores.

Loaded by execute workers through MAESTRO_TOOL_MODULES; EFFECTS_FOLDER says where the files are.
"""

import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from maestro.tools import Reconciled, ToolContext, WasDone, WasNotDone, tool
from telemetry import points

FOLDER = "EFFECTS_FOLDER"
NAMES = ("look", "put", "send", "charge")


class Nothing(BaseModel):
    """No arguments."""


def starts(folder: Path, name: str) -> Counter[str]:
    """Return how often each step of the tool was started."""
    return Counter(start.step_id for start in all_starts(folder, name))


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a tool. `at` is the wall clock in seconds."""

    step_id: str
    pid: int
    at: float


def all_starts(folder: Path, name: str) -> list[Start]:
    """Return every start of the tool, in the order of the file."""
    path = folder / f"{name}.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [Start(step_id, int(pid), float(at)) for step_id, pid, at in map(str.split, lines)]


async def work(name: str, step_id: str) -> None:
    """Do what the tool is for: write down this start. A harness may park the process then."""
    _write_down(name, step_id)
    if points.ENABLED is not None:
        await points.ENABLED("execute.working")


def _write_down(name: str, step_id: str) -> None:
    # One short write to a file opened for appending is whole, whichever processes write at the same time.
    path = Path(os.environ[FOLDER]) / f"{name}.txt"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, f"{step_id} {os.getpid()} {time.time():.3f}\n".encode())
    finally:
        os.close(handle)


@tool(effect="pure")
async def look(_arguments: Nothing, context: ToolContext) -> str:
    """Look at something."""
    await work("look", context.step_id)
    return "seen"


@tool(effect="idempotent")
async def put(_arguments: Nothing, context: ToolContext) -> str:
    """Put something in its place."""
    await work("put", context.step_id)
    return "put"


async def _was_sent(_arguments: Nothing, context: ToolContext) -> Reconciled:
    done = starts(Path(os.environ[FOLDER]), "send")[context.step_id]
    return WasDone("sent") if done else WasNotDone()


@tool(effect="reconcile", reconcile=_was_sent)
async def send(_arguments: Nothing, context: ToolContext) -> str:
    """Send something."""
    await work("send", context.step_id)
    return "sent"


@tool(effect="once")
async def charge(_arguments: Nothing, context: ToolContext) -> str:
    """Charge somebody."""
    await work("charge", context.step_id)
    return "charged"
