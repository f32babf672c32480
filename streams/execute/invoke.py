"""One start of a tool: arguments checked, time limited, any failure an outcome that a model can read."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

import orjson
from pydantic import BaseModel, ValidationError

from schemas.errors import ErrorCode, TransientError
from schemas.lists import ToolOutcome
from streams.execute.tool import Tool, ToolContext, ToolError
from streams.well_formed import well_formed
from telemetry.logs import logger

log = logger(__name__)

MAX_MESSAGE_CHARS: Final = 4_000
"""Most characters of an error's message: it travels on in messages of limited size."""
_NOTE_BYTES: Final = 200
"""For what stands around the beginning of a result that is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What became of a call: `result` is JSON text, `null` unless it succeeded."""

    outcome: ToolOutcome
    result: str = "null"
    error_code: ErrorCode | None = None
    error_message: str | None = None


def failed(outcome: ToolOutcome, code: ErrorCode, message: str) -> Invocation:
    """Return the outcome of a call that gave no result; a long message is cut."""
    text = well_formed(message)
    if len(text) > MAX_MESSAGE_CHARS:
        text = text[: MAX_MESSAGE_CHARS - 1] + "…"
    return Invocation(outcome=outcome, error_code=code, error_message=text)


def validated(tool: Tool, arguments: str) -> BaseModel | Invocation:
    """Return the arguments as the tool's model, or what to tell the model that gave them."""
    try:
        return tool.arguments.model_validate_json(arguments)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'the arguments'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        return failed(
            ToolOutcome.INVALID_ARGUMENTS,
            ErrorCode.INVALID_ARGUMENTS,
            f"the arguments of {tool.name} do not fit: {problems}",
        )


class Invoker:
    """Starts tools, a limited number of each pool at a time."""

    def __init__(self, *, pool_size: int, result_limit_bytes: int) -> None:
        self._limit_bytes = result_limit_bytes
        self._pools: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(pool_size))

    def slot(self, tool: Tool) -> asyncio.Semaphore:
        """Return the pool of `tool`: hold it while the tool is started and runs."""
        return self._pools[tool.pool]

    async def invoke(
        self, tool: Tool, arguments: BaseModel, context: ToolContext, limit_s: float
    ) -> Invocation:
        """Run `tool` for at most `limit_s` seconds.

        Raises:
            TransientError: the tool says that the same call may succeed later; it is then tried again.

        """
        limit = asyncio.timeout(limit_s)
        try:
            async with limit:
                value = await _run(tool, arguments, context)
        except TransientError:
            raise
        except ToolError as error:
            return failed(ToolOutcome.FAILED, error.code, error.message)
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                message = f"{tool.name} did not finish within {limit_s:g} s; ask for less"
                return failed(ToolOutcome.TIMED_OUT, ErrorCode.TOOL_TIMEOUT, message)
            # The text of a stranger's exception may hold secrets: it goes to the log, its name to the model.
            log.exception("tool failed", tool=tool.name, step_id=context.step_id)
            message = f"{tool.name} failed unexpectedly ({type(error).__name__})"
            return failed(ToolOutcome.FAILED, ErrorCode.TOOL_FAILED, message)
        return succeeded(tool.name, value, self._limit_bytes)


async def _run(tool: Tool, arguments: BaseModel, context: ToolContext) -> Any:
    try:
        return await tool.run(arguments, context)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # Nobody cancelled this step: something that the tool waits for was, and trying again would not help.
        message = f"{tool.name} waited for something that was cancelled"
        raise ToolError(message) from error


def succeeded(name: str, value: Any, limit_bytes: int) -> Invocation:
    """Return the outcome for what a tool returned: as JSON, cut with a note when it is too large."""
    try:
        raw = orjson.dumps(value, default=_as_json, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError as error:
        message = f"{name} returned something that is not JSON ({error})"
        return failed(ToolOutcome.FAILED, ErrorCode.TOOL_FAILED, message)
    if len(raw) > limit_bytes:
        # Twice: each quote and backslash of the beginning is escaped once more.
        kept = raw[: (limit_bytes - _NOTE_BYTES) // 2].decode(errors="ignore")
        raw = orjson.dumps(
            {
                "truncated": True,
                "note": f"the result had {len(raw)} bytes; this is its beginning. Ask for less.",
                "beginning": kept,
            }
        )
    return Invocation(outcome=ToolOutcome.SUCCEEDED, result=raw.decode())


def _as_json(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, set | frozenset | tuple):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    raise TypeError
