"""One tool call as a job of the machine: look up, start the tool, turn whatever happens into a ToolResult."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from time import monotonic
from typing import Any, Final, Protocol

import orjson
from msgspec import Struct
from prometheus_client import Counter
from pydantic import BaseModel

from schemas.agent_file import Approval
from schemas.errors import ErrorCode
from schemas.ids import tool_result_id
from schemas.lists import EffectClass, ToolOutcome
from schemas.records import ToolCall, ToolResult
from schemas.topics import TOOL_RESULTS, TopicSpec
from streams.built import built
from streams.execute.invoke import Invocation, Invoker, failed, unknown, validated
from streams.execute.registry import Registry
from streams.execute.tool import Tool, ToolContext
from streams.run_watch import ReadFeed, RunWatch
from telemetry import metrics
from telemetry.tracing import Trace

_LEAST_CALL_S: Final = 0.02
_LOOK_EVERY_S: Final = 2.0
"""How often a running tool's run is looked after; a call that began later than this is looked after first."""
_RECONCILE_WITHIN_S: Final = 30.0
_REPEATABLE: Final = (EffectClass.PURE, EffectClass.IDEMPOTENT)


class RecordedResults(Protocol):
    """Tool results in the record."""

    async def tool_result(self, tool_call_id: str) -> ToolResult | None:
        """Return the recorded result of a call."""
        ...


class Prepared(Struct, frozen=True, kw_only=True):
    """A tool with arguments that fit it."""

    tool: Tool
    arguments: BaseModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Executing:
    """What all tool calls of a process share. `now` is the wall clock.

    With `feed`, tools of runs that have ended are not started, or stopped where stopping is harmless.
    """

    registry: Registry
    invoker: Invoker
    record: RecordedResults
    feed: ReadFeed | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def job(self, call: ToolCall, *, partition: int, trace: Trace) -> "ExecuteJob":
        """Return the job of a call."""
        prepared = prepare(self.registry, call)
        return ExecuteJob(
            shared=self,
            call=call,
            prepared=prepared,
            partition=partition,
            trace=trace,
            step_id=call.id,
            session_id=call.session_id,
            born_ms=int(call.born_at.timestamp() * 1000),
            is_once=isinstance(prepared, Prepared) and prepared.tool.effect is EffectClass.ONCE,
        )


@cache
def _counter(name: str, outcome: ToolOutcome) -> Counter:
    # Names are those of tools: there are few.
    return metrics.TOOL_CALLS.labels(name, outcome.value)


def prepare(registry: Registry, call: ToolCall) -> Prepared | Invocation:
    """Return the tool and its arguments, or what is wrong with the call."""
    tool = registry.get(call.name)
    if tool is None:
        known = ", ".join(registry.names) or "none"
        message = f"there is no tool {call.name!r}; there are: {known}"
        return failed(ToolOutcome.UNKNOWN_TOOL, ErrorCode.UNKNOWN_TOOL, message)
    arguments = validated(tool, call.arguments)
    if isinstance(arguments, Invocation):
        return arguments
    if tool.approval is Approval.ALWAYS and call.approved_by is None:
        message = (
            f"{call.name} never starts before a person approved the call, and nobody was asked;"
            f" write `approvals: {{{call.name}: always}}` into the agent's file"
        )
        return failed(ToolOutcome.DENIED, ErrorCode.DENIED, message)
    return Prepared(tool=tool, arguments=arguments)


class ExecuteJob(Struct, frozen=True, kw_only=True):
    """One call's job."""

    shared: Executing
    call: ToolCall
    prepared: Prepared | Invocation
    partition: int
    trace: Trace
    step_id: str
    session_id: str
    born_ms: int
    is_once: bool
    """Whether the tool must never start twice; a call that cannot start is not."""
    role: str = "execute"
    result_topic: TopicSpec = TOOL_RESULTS

    def slot(self) -> AbstractAsyncContextManager[Any]:
        """Return the place in the tool's pool."""
        if isinstance(self.prepared, Prepared):
            return self.shared.invoker.slot(self.prepared.tool)
        return nullcontext()

    async def look_up(self) -> ToolResult | None:
        """Return the result that the record has."""
        return await self.shared.record.tool_result(self.call.id)

    async def work(self, attempt_id: str) -> ToolResult:
        """Start the tool; every outcome but a transient one is a result.

        Raises:
            TransientError: the tool says that the same call may succeed later.

        """
        started = monotonic()
        invocation = await self._invocation()
        known = isinstance(self.prepared, Prepared)
        _counter(self.call.name if known else "unknown", invocation.outcome).inc()
        return self._result(
            invocation, latency_ms=round((monotonic() - started) * 1000), attempt_id=attempt_id
        )

    async def reconcile(self, attempt_id: str) -> ToolResult | None:
        """Return what became of an earlier attempt, where the tool can ask; None: start it.

        Raises:
            TransientError: it cannot be asked at the moment.

        """
        prepared = self.prepared
        if isinstance(prepared, Invocation) or prepared.tool.effect is not EffectClass.RECONCILE:
            return None
        started = monotonic()
        invocation = await self._reconciled(prepared)
        if invocation is None:
            return None
        _counter(self.call.name, invocation.outcome).inc()
        return self._result(
            invocation, latency_ms=round((monotonic() - started) * 1000), attempt_id=attempt_id
        )

    def note_repeated(self, result: ToolResult, *, is_certain: bool) -> None:
        """Count a tool that was started twice, or may have been."""
        del result
        # Others are not started again: the record's claim or the tool's own hook is asked first.
        if isinstance(self.prepared, Prepared) and self.prepared.tool.effect in _REPEATABLE:
            certainty = "certain" if is_certain else "possible"
            metrics.TOOL_STARTS_REPEATED.labels(self.prepared.tool.effect.value, certainty).inc()

    def outcome_unknown(self) -> ToolResult:
        """Return the result of a tool that another attempt may have started."""
        reason = "an earlier attempt may have started it, and it must never start twice"
        return self._result(unknown(self.call.name, reason), latency_ms=0, attempt_id=None)

    def pack(self, result: ToolResult) -> bytes:
        """Return what the journal keeps."""
        return orjson.dumps(result.__dict__)

    def unpack(self, value: bytes) -> ToolResult:
        """Return the result that the journal kept."""
        return ToolResult.model_validate_json(value)

    async def _invocation(self) -> Invocation:
        prepared = self.prepared
        if isinstance(prepared, Invocation):
            return prepared
        now = self.shared.now()
        remaining_s = (self.call.deadline_at - now).total_seconds()
        name = self.call.name
        if remaining_s <= _LEAST_CALL_S:
            message = f"the deadline passed before {name} was started"
            return failed(ToolOutcome.TIMED_OUT, ErrorCode.DEADLINE, message)
        watch = self._watch()
        is_late = (now - self.call.born_at).total_seconds() > _LOOK_EVERY_S
        if watch is not None and is_late and await watch.look():
            message = f"the run had ended before {name} was started"
            return failed(ToolOutcome.FAILED, ErrorCode.CANCELLED, message)
        invocation = await self.shared.invoker.invoke(
            prepared.tool,
            prepared.arguments,
            self._context(),
            min(prepared.tool.time_limit_s, remaining_s),
            # What repeating would harm is better ended than broken off: then its outcome is known.
            watch=watch if prepared.tool.effect in _REPEATABLE else None,
        )
        return await self._settled(prepared, invocation)

    async def _settled(self, prepared: Prepared, invocation: Invocation) -> Invocation:
        """Return the outcome when the tool did not say how it ended: that is not the same as failed."""
        if invocation.is_certain or prepared.tool.effect in _REPEATABLE:
            return invocation
        if prepared.tool.effect is EffectClass.RECONCILE:
            return await self._reconciled(prepared) or invocation
        return unknown(self.call.name, invocation.error_message or "")

    async def _reconciled(self, prepared: Prepared) -> Invocation | None:
        limit_s = min(prepared.tool.time_limit_s, _RECONCILE_WITHIN_S)
        return await self.shared.invoker.reconcile(
            prepared.tool, prepared.arguments, self._context(), limit_s
        )

    def _context(self) -> ToolContext:
        call = self.call
        return ToolContext(
            session_id=call.session_id,
            user_id=call.user_id,
            run_id=call.run_id,
            step_id=call.id,
            agent_id=call.agent_id,
            approved_by=call.approved_by,
            traceparent=self.trace.traceparent,
        )

    def _watch(self) -> RunWatch | None:
        feed = self.shared.feed
        if feed is None:
            return None
        return RunWatch(
            feed,
            partition=self.partition,
            session_id=self.call.session_id,
            run_id=self.call.run_id,
            since_ms=self.born_ms - 1_000,
            every_s=_LOOK_EVERY_S,
        )

    def _result(self, invocation: Invocation, *, latency_ms: int, attempt_id: str | None) -> ToolResult:
        call = self.call
        return built(
            ToolResult,
            id=tool_result_id(call.id),
            tool_call_id=call.id,
            task_id=call.task_id,
            session_id=call.session_id,
            run_id=call.run_id,
            user_id=call.user_id,
            tool_name=call.name,
            outcome=invocation.outcome,
            success=invocation.outcome is ToolOutcome.SUCCEEDED,
            result=invocation.result,
            error_code=invocation.error_code,
            error_message=invocation.error_message,
            created_at=self.shared.now(),
            latency_ms=latency_ms,
            attempt_id=attempt_id,
        )
