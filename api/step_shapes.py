"""What the steps of a run look like over HTTP: log entries, model calls, tool calls, costs. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from math import fsum

import orjson
from pydantic import Field, JsonValue

from api.shapes import Shape
from schemas.lists import Action, GenerationStatus, Purpose, TaskStatus, ToolOutcome
from schemas.records import Generation, ToolResult
from stores.postgres.costs import SessionCost
from stores.postgres.session_logs import StoredLog
from stores.postgres.tool_calls import ToolCallContext
from stores.postgres.web_rows import UsageRow

_ID = "0197a3c4-5b1e-7c7a-9a51-3f0f6f1c2d3e"


class Entry(Shape):
    """One entry of a session's log: what changed, and why."""

    id: str = Field(examples=[_ID])
    task_id: str
    session_id: str
    run_id: str | None
    sequence: int = Field(description="Place in the log, from 1, without gaps.", examples=[3])
    action: Action
    tool_name: str | None
    tool_call_id: str | None
    payload: JsonValue = Field(description="JSON object, written as it was when it was hashed.")
    success: bool
    user_id: str
    term: int
    cause_id: str = Field(description="Event that caused the decision.")
    cause_topic: str
    cause_partition: int
    cause_offset: int
    trace_id: str
    occurred_at: datetime
    previous_hash: str
    hash: str


class AuditTrail(Shape):
    """Every entry of a task's log, in order."""

    task_id: str = Field(examples=[_ID])
    session_id: str = Field(examples=[_ID])
    entries: tuple[Entry, ...]


class Cost(Shape):
    """What a session cost so far."""

    session_id: str = Field(examples=[_ID])
    total: float | None = Field(
        description="US dollars of the generations with a known price; null when none has one.",
        examples=[0.0125],
    )
    generations: int = Field(description="Model calls.", examples=[3])
    unpriced: int = Field(description="Model calls without a known price.", examples=[0])
    is_complete: bool = Field(description="Whether every price is known; else the total is a lower bound.")


class Failure(Shape):
    """Why something failed."""

    code: str | None = Field(description="A stable code.", examples=["tool_failed"])
    message: str | None = Field(description="What happened and what to do about it.")


class TokenUsage(Shape):
    """Tokens of one model call."""

    prompt: int
    completion: int
    cached: int
    reasoning: int
    total: int
    cost_estimate: float | None = Field(description="US dollars; null when the price is unknown.")


class GenerationDetail(Shape):
    """One model call and its outcome."""

    id: str
    task_id: str
    session_id: str
    run_id: str
    agent_id: str | None
    generation_index: int
    purpose: Purpose
    model_name: str
    prompt: JsonValue = Field(description="JSON array of the chat messages that were sent.")
    response: str
    created_at: datetime
    status: GenerationStatus
    token_usage: TokenUsage
    latency_ms: int
    error: Failure | None


class ToolCallDetail(Shape):
    """One tool invocation."""

    id: str
    task_id: str
    session_id: str
    run_id: str
    generation_id: str
    agent_id: str | None
    name: str
    arguments: JsonValue = Field(description="As the model gave them: JSON, or a text that is none.")
    created_at: datetime
    approved_by: str | None


class ToolResultDetail(Shape):
    """The one outcome of a tool call."""

    id: str
    tool_call_id: str
    session_id: str
    run_id: str
    outcome: ToolOutcome
    success: bool
    result: JsonValue
    error: Failure | None
    created_at: datetime
    latency_ms: int


class TaskDetail(Shape):
    """What somebody asked for, as it stands."""

    id: str
    session_id: str
    user_id: str
    prompt: str
    status: TaskStatus
    repo_url: str | None
    created_at: datetime


class ToolCallInContext(Shape):
    """A tool call with what it came from and what it gave; null is what is not recorded (yet)."""

    tool_call: ToolCallDetail
    tool_result: ToolResultDetail | None
    generation: GenerationDetail | None
    task: TaskDetail | None


class UsageItem(Shape):
    """Model calls of one day with one model."""

    day: date = Field(description="In UTC.")
    model: str = Field(examples=["openai/gpt-4o"])
    generations: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_estimate: float | None = Field(
        description="US dollars of the calls with a known price; null when none has one."
    )
    unpriced: int = Field(description="Calls without a known price.")


class UsageSum(Shape):
    """All of it together."""

    generations: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_estimate: float | None
    unpriced: int


class Usage(Shape):
    """What a user's model calls took, by day and model. Erased sessions do not count."""

    since: date = Field(description="First day.")
    until: date = Field(description="Last day.")
    days: tuple[UsageItem, ...]
    total: UsageSum


def trail_json(task_id: str, entries: Sequence[StoredLog]) -> bytes:
    """Return an `AuditTrail` as JSON; the payloads stand in it to the byte as they were hashed."""
    return orjson.dumps(
        {
            "task_id": task_id,
            "session_id": entries[0].session_id,
            "entries": [_entry(entry) for entry in entries],
        },
        option=orjson.OPT_UTC_Z,
    )


def _entry(entry: StoredLog) -> dict[str, object]:
    return _fields(Entry, entry) | {"payload": orjson.Fragment(entry.payload)}


def cost_of(session_id: str, cost: SessionCost) -> Cost:
    """Return what a session cost."""
    return Cost(
        session_id=session_id,
        total=cost.total,
        generations=cost.generations,
        unpriced=cost.unpriced,
        is_complete=cost.unpriced == 0,
    )


def context_json(context: ToolCallContext) -> bytes:
    """Return a `ToolCallInContext` as JSON. What models and tools wrote stands in it as it was recorded."""
    result, generation, task = context.result, context.generation, context.task
    parts = {
        "tool_call": _fields(ToolCallDetail, context.call)
        | {"arguments": orjson.Fragment(context.call.arguments)},
        "tool_result": None if result is None else _tool_result(result),
        "generation": None if generation is None else _generation(generation),
        "task": None if task is None else _fields(TaskDetail, task),
    }
    return orjson.dumps(parts, option=orjson.OPT_UTC_Z)


def _tool_result(result: ToolResult) -> dict[str, object]:
    return _fields(ToolResultDetail, result) | {
        "result": orjson.Fragment(result.result),
        "error": _failure(result.error_code, result.error_message),
    }


def _generation(generation: Generation) -> dict[str, object]:
    return _fields(GenerationDetail, generation) | {
        "prompt": orjson.Fragment(generation.prompt),
        "token_usage": TokenUsage(
            prompt=generation.prompt_tokens,
            completion=generation.completion_tokens,
            cached=generation.cached_tokens,
            reasoning=generation.reasoning_tokens,
            total=generation.total_tokens,
            cost_estimate=generation.cost_estimate,
        ).model_dump(),
        "error": _failure(generation.error_code, generation.error_message),
    }


def _fields(shape: type[Shape], source: object) -> dict[str, object]:
    return {name: getattr(source, name) for name in shape.model_fields if hasattr(source, name)}


def _failure(code: str | None, message: str | None) -> dict[str, object] | None:
    return None if code is None and message is None else Failure(code=code, message=message).model_dump()


def usage_of(rows: Iterable[UsageRow], *, since: date, until: date) -> Usage:
    """Return a user's usage between two days, both included."""
    days = tuple(
        UsageItem.model_validate({name: getattr(row, name) for name in UsageItem.model_fields})
        for row in rows
    )
    costs = [item.cost_estimate for item in days if item.cost_estimate is not None]
    return Usage(
        since=since,
        until=until,
        days=days,
        total=UsageSum(
            generations=sum(item.generations for item in days),
            prompt_tokens=sum(item.prompt_tokens for item in days),
            completion_tokens=sum(item.completion_tokens for item in days),
            total_tokens=sum(item.total_tokens for item in days),
            cost_estimate=fsum(costs) if costs else None,
            unpriced=sum(item.unpriced for item in days),
        ),
    )
