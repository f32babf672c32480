"""What models and tools do in a history: they answer, late or never, and every start is noted."""

import asyncio
from random import Random
from typing import Any, Protocol

from pydantic import BaseModel

from llm.completion import AskedCall, Completion, CompletionRequest, ModelError, OnDelta, Usage
from schemas.errors import ErrorCode, TransientError
from schemas.lists import EffectClass
from streams.execute.reconcile import Reconciled
from streams.execute.tool import Tool, ToolContext, tool
from tests.simulation.process import Process

TOOLS = ("pure", "same", "asked", "once")
"""One tool of each effect class."""


class Watcher(Protocol):
    """Who notes what starts."""

    random: Random

    def starts(self, process: Process, step_id: str, *, is_once: bool) -> int:
        """Note a start; return its number in the history."""
        ...

    def what_became(self, step_id: str) -> Reconciled:
        """Say what the outside world knows of a step."""
        ...


class Arguments(BaseModel):
    """What the tools take."""

    text: str = ""


class BrokenError(Exception):
    """A bug that nobody foresaw: the request becomes a dead letter, and the deadline ends the run."""


class Model:
    """A model that says something else at every call, so that a second answer can be told from the first."""

    def __init__(self, process: Process, world: Watcher) -> None:
        self._process = process
        self._world = world

    async def complete(self, request: CompletionRequest, on_delta: OnDelta) -> Completion:
        number = self._world.starts(self._process, request.id, is_once=False)
        random = self._world.random
        await self._process.turn("during model.complete")
        try:
            await _work(random, request.timeout_s)
        except TimeoutError as error:
            message = "the model did not answer in time"
            raise ModelError(message, code=ErrorCode.MODEL_TIMEOUT) from error
        chance = random.random()
        if chance < _LOST:
            raise BrokenError
        if chance < _LOST + _FAILED:
            message = "the provider is overloaded"
            raise ModelError(message, code=ErrorCode.MODEL_UNAVAILABLE)
        calls = _calls(random, request)
        text = f"answer {number}" if not calls else random.choice(["", f"thought {number}"])
        on_delta(text)
        return Completion(
            model=request.model,
            text=text,
            tool_calls=calls,
            usage=Usage(prompt_tokens=9, completion_tokens=2),
        )


def _calls(random: Random, request: CompletionRequest) -> tuple[AskedCall, ...]:
    rounds = 0
    for message in reversed(request.messages):
        if message["role"] == "user":
            break
        rounds += message["role"] == "tool"
    if not request.tools or random.random() < (_ANSWERS_AT_ONCE if not rounds else _ANSWERS_NOW):
        return ()
    names = [each.name for each in request.tools]
    return tuple(
        AskedCall(f"call-{number}", random.choice(names), {"text": "x"})
        for number in range(random.choice([1, 1, 2, 3]))
    )


def tools_of(process: Process, world: Watcher) -> list[Tool]:
    """Return the tools as one process has them."""

    async def work(context: ToolContext, *, is_once: bool) -> dict[str, int]:
        number = world.starts(process, context.step_id, is_once=is_once)
        await process.turn("during tool.run")
        await _work(world.random, _TOOL_PATIENCE_S)
        if world.random.random() < _FAILED:
            message = "try again later"
            raise TransientError(message)
        return {"number": number}

    @tool(effect=EffectClass.PURE)
    async def pure(_arguments: Arguments, context: ToolContext) -> Any:
        """Compute."""
        return await work(context, is_once=False)

    @tool(effect=EffectClass.IDEMPOTENT)
    async def same(_arguments: Arguments, context: ToolContext) -> Any:
        """Set a value."""
        return await work(context, is_once=False)

    async def what_became(_arguments: Arguments, context: ToolContext) -> Reconciled:
        await process.turn("during tool.reconcile")
        return world.what_became(context.step_id)

    @tool(effect=EffectClass.RECONCILE, reconcile=what_became)
    async def asked(_arguments: Arguments, context: ToolContext) -> Any:
        """Order something that can be asked for."""
        return await work(context, is_once=False)

    @tool(effect=EffectClass.ONCE)
    async def once(_arguments: Arguments, context: ToolContext) -> Any:
        """Send a letter."""
        return await work(context, is_once=True)

    return [pure, same, asked, once]


async def _work(random: Random, limit_s: float) -> None:
    wanted_s = random.choice(_LATENCIES_S) * random.random()
    async with asyncio.timeout(limit_s):
        await asyncio.sleep(wanted_s)


_LATENCIES_S = (0.0, 0.02, 0.02, 0.1, 0.6, 3.0)
_TOOL_PATIENCE_S = 30.0
_LOST = 0.03
_FAILED = 0.04
_ANSWERS_AT_ONCE = 0.35
_ANSWERS_NOW = 0.75
