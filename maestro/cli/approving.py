"""Asks the person at a terminal whether a tool call may start, while the run goes on being shown."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from maestro.cli.output import note
from schemas.lists import Action

Decide = Callable[[str, bool, str | None], Awaitable[None]]
"""Takes the tool call, whether it may start, and why."""

_DECIDED = frozenset({Action.TOOL_APPROVED, Action.TOOL_DENIED})


class Approving:
    """Reads `y` or `n` for each open question in turn; what is decided elsewhere is asked no more."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self._open: dict[str, str] = {}
        self._changed = asyncio.Event()

    def notice(self, stage: Mapping[str, Any]) -> None:
        """Take up the questions, and what became of them, from the stages of the run."""
        call = str(stage.get("tool_call_id"))
        if stage.get("stage") == Action.APPROVAL_REQUESTED:
            self._open[call] = str(stage.get("tool_name"))
        elif stage.get("stage") in _DECIDED:
            _ = self._open.pop(call, None)
        self._changed.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            self._changed.clear()
            if not self._open:
                _ = await self._changed.wait()
                continue
            call, tool = next(iter(self._open.items()))
            note(f"may {tool} start? y, or n and why")
            said = await self._answer_unless_decided(call)
            if said is not None:
                _ = self._open.pop(call, None)
                await self._decide(call, *said)

    async def _answer_unless_decided(self, call: str) -> tuple[bool, str | None] | None:
        typing = asyncio.create_task(_answer(), name="a person's word")
        try:
            while call in self._open:
                self._changed.clear()
                change = asyncio.create_task(self._changed.wait(), name="a change of the questions")
                _ = await asyncio.wait([typing, change], return_when=asyncio.FIRST_COMPLETED)
                _ = change.cancel()
                if typing.done():
                    return typing.result()
            return None
        finally:
            _ = typing.cancel()


async def _answer() -> tuple[bool, str | None]:
    while True:
        parsed = parsed_answer(await _typed_line())
        if parsed is not None:
            return parsed
        note("y lets it start; n does not, and the model reads what you write behind it")


def parsed_answer(line: str) -> tuple[bool, str | None] | None:
    """Return whether it is a yes, and the reason behind it; None when it is neither yes nor no. Pure."""
    word, _, reason = line.strip().partition(" ")
    why = reason.strip(" :,") or None
    match word.lower().rstrip(":,"):
        case "y" | "yes":
            return True, why
        case "n" | "no":
            return False, why
        case _:
            return None


async def _typed_line() -> str:
    # Not in a thread: a thread that waits for a line could not be given up when the run ends.
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        if not typed.done():
            typed.set_result(sys.stdin.readline())

    loop.add_reader(sys.stdin.fileno(), read)
    try:
        line = await typed
    finally:
        _ = loop.remove_reader(sys.stdin.fileno())
    if not line:
        _ = await asyncio.Event().wait()  # Ctrl-D: nothing more is typed, and the run goes on
    return line
