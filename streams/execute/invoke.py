"""One start of a tool: arguments checked, time limited, any failure an outcome that a model can read."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable
from typing import Any, Final

import orjson
from msgspec import Struct
from pydantic import BaseModel, ValidationError

from schemas.errors import ErrorCode, TransientError
from schemas.fields import json_without_nul
from schemas.lists import ToolOutcome
from streams.execute.reconcile import CannotTell, Reconciled, WasDone, WasNotDone
from streams.execute.tool import Tool, ToolContext, ToolError
from streams.run_watch import RunWatch
from streams.time_limit import TimeLimit
from streams.well_formed import well_formed, without_nul
from telemetry.logs import logger, without_text

log = logger(__name__)

MAX_MESSAGE_CHARS: Final = 4_000
"""Most characters of an error's message: it travels on in messages of limited size."""
_NOTE_BYTES: Final = 200
"""For what stands around the beginning of a result that is cut."""


class Invocation(Struct, frozen=True, kw_only=True):
    """What became of a call: `result` is JSON text, `null` unless it succeeded."""

    outcome: ToolOutcome
    result: str = "null"
    error_code: ErrorCode | None = None
    error_message: str | None = None
    is_certain: bool = True
    """False: the tool was started and did not say how it ended, so it may have had its effect."""


def failed(outcome: ToolOutcome, code: ErrorCode, message: str, *, is_certain: bool = True) -> Invocation:
    """Return the outcome of a call that gave no result; a long message is cut."""
    text = without_nul(well_formed(message))
    if len(text) > MAX_MESSAGE_CHARS:
        text = text[: MAX_MESSAGE_CHARS - 1] + "…"
    return Invocation(outcome=outcome, error_code=code, error_message=text, is_certain=is_certain)


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
    except Exception as error:
        # An author's own validator may raise anything; passed on, it would leave the run without a result.
        log.exception("validation failed", tool=tool.name, exc_info=without_text(error))
        message = f"the arguments of {tool.name} cannot be checked ({type(error).__name__})"
        return failed(ToolOutcome.INVALID_ARGUMENTS, ErrorCode.INVALID_ARGUMENTS, message)


class _BrokenOffError(ToolError):
    """The tool was broken off by something else than this step."""


class Invoker:
    """Starts tools, a limited number of each pool at a time."""

    def __init__(self, *, pool_size: int, result_limit_bytes: int) -> None:
        self._limit_bytes = result_limit_bytes
        self._pools: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(pool_size))

    def slot(self, tool: Tool) -> asyncio.Semaphore:
        """Return the pool of `tool`: hold it while the tool is started and runs."""
        return self._pools[tool.pool]

    async def invoke(
        self,
        tool: Tool,
        arguments: BaseModel,
        context: ToolContext,
        limit_s: float,
        *,
        watch: RunWatch | None = None,
    ) -> Invocation:
        """Run `tool` for at most `limit_s` seconds, and no longer than `watch` sees its run going on.

        Raises:
            TransientError: the tool says that the same call may succeed later; it is then tried again.

        """
        limit = TimeLimit(limit_s)
        try:
            with limit:
                if watch is not None:
                    watch.start(limit.end)
                value = await _uncancelled(tool.name, tool.run(arguments, context))
        except TransientError:
            raise
        except ToolError as error:
            is_certain = not isinstance(error, _BrokenOffError)
            return failed(ToolOutcome.FAILED, error.code, error.message, is_certain=is_certain)
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.is_over:
                return _stopped(tool, limit_s, has_run_ended=watch is not None and watch.has_ended)
            # The text of a stranger's exception may hold secrets or quote its arguments: the model does not
            # get it, and the log only where every detail is asked for.
            log.exception("tool failed", tool=tool.name, exc_info=without_text(error))
            message = f"{tool.name} failed unexpectedly ({type(error).__name__})"
            return failed(ToolOutcome.FAILED, ErrorCode.TOOL_FAILED, message, is_certain=False)
        finally:
            if watch is not None:
                await watch.stop()
        return succeeded(tool.name, value, self._limit_bytes)

    async def reconcile(
        self, tool: Tool, arguments: BaseModel, context: ToolContext, limit_s: float
    ) -> Invocation | None:
        """Ask what became of an earlier try of `tool`; None: it was not done.

        Raises:
            TransientError: the hook says that asking may succeed later.

        """
        answer = await self._asked(tool, arguments, context, limit_s)
        match answer:
            case WasDone(value=value):
                done = succeeded(tool.name, value, self._limit_bytes)
                return done if done.is_certain else unknown(tool.name, done.error_message or "")
            case WasNotDone():
                return None
            case CannotTell(reason=reason):
                return unknown(tool.name, reason)

    async def _asked(
        self, tool: Tool, arguments: BaseModel, context: ToolContext, limit_s: float
    ) -> Reconciled:
        if tool.reconcile is None:
            return CannotTell("the tool has nobody to ask")
        try:
            async with asyncio.timeout(limit_s):
                answer: object = await _uncancelled(tool.name, tool.reconcile(arguments, context))
        except TransientError:
            raise
        except ToolError as error:
            return CannotTell(error.message)
        except Exception as error:
            log.exception("reconcile failed", tool=tool.name, exc_info=without_text(error))
            return CannotTell(f"its reconcile function failed ({type(error).__name__})")
        if isinstance(answer, WasDone | WasNotDone | CannotTell):
            return answer
        return CannotTell(f"its reconcile function returned {type(answer).__name__}")


def unknown(name: str, reason: str = "") -> Invocation:
    """Return the outcome of a call that may have been started, and nobody can say what became of it."""
    message = (
        f"{name} may have done its work or not{f': {reason}' if reason else ''};"
        " look what became of it, then approve or deny the call"
    )
    return failed(ToolOutcome.OUTCOME_UNKNOWN, ErrorCode.TOOL_OUTCOME_UNKNOWN, message)


def _stopped(tool: Tool, limit_s: float, *, has_run_ended: bool) -> Invocation:
    if has_run_ended:
        message = f"{tool.name} was stopped: its run has ended"
        return failed(ToolOutcome.FAILED, ErrorCode.CANCELLED, message, is_certain=False)
    message = f"{tool.name} did not finish within {limit_s:g} s; ask for less"
    return failed(ToolOutcome.TIMED_OUT, ErrorCode.TOOL_TIMEOUT, message, is_certain=False)


async def _uncancelled(name: str, work: Awaitable[Any]) -> Any:
    try:
        return await work
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # Nobody cancelled this step: something that the tool waits for was, and trying again would not help.
        message = f"{name} waited for something that was cancelled"
        raise _BrokenOffError(message) from error


def succeeded(name: str, value: Any, limit_bytes: int) -> Invocation:
    """Return the outcome for what a tool returned: as JSON, cut with a note when it is too large."""
    try:
        raw = orjson.dumps(value, default=_as_json, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError as error:
        # It did its work all the same: a model that read of a failure would ask for it once more.
        message = f"{name} returned something that is not JSON ({error})"
        return failed(ToolOutcome.FAILED, ErrorCode.TOOL_FAILED, message, is_certain=False)
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
    return Invocation(outcome=ToolOutcome.SUCCEEDED, result=json_without_nul(raw.decode()))


def _as_json(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, set | frozenset | tuple):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    raise TypeError
