"""One tool call as a job: what is wrong with it, how long it may take, what its result carries."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from bus.codec import Codec
from schemas.errors import ErrorCode, TransientError
from schemas.examples import BORN, TOOL_CALL
from schemas.ids import tool_result_id
from schemas.lists import ToolOutcome
from schemas.records import ToolCall, ToolResult
from schemas.topics import MAX_VALUE_BYTES, TOOL_RESULTS
from streams.execute.invoke import Invoker
from streams.execute.job import ExecuteJob, Executing
from streams.execute.registry import Registry
from streams.execute.tool import Tool, ToolContext, ToolError, tool
from telemetry.tracing import derived
from tests.unit.streams.execute.tools_for_tests import Arguments, call, raising, returning, waiting

ATTEMPT = "01980000-0000-7000-8000-0000000000aa"
CODEC = Codec()


@dataclass
class FakeRecorded:
    """Tool results in the record."""

    known: dict[str, ToolResult] = field(default_factory=dict[str, ToolResult])

    async def tool_result(self, tool_call_id: str) -> ToolResult | None:
        return self.known.get(tool_call_id)


def job(
    asked: ToolCall,
    *tools: Tool,
    now: datetime = BORN,
    record: FakeRecorded | None = None,
    pool_size: int = 4,
) -> ExecuteJob:
    executing = Executing(
        registry=Registry(tools),
        invoker=Invoker(pool_size=pool_size, result_limit_bytes=600_000),
        record=record or FakeRecorded(),
        now=lambda: now,
    )
    return executing.job(asked, partition=4, trace=derived("x"))


def of_effect(effect: str) -> Tool:
    @tool(effect=effect, name="act")
    async def act(_arguments: Arguments, _context: ToolContext) -> None:
        """Act."""

    return act


def test_a_job_is_known_by_its_call_and_lives_where_its_session_does() -> None:
    one = job(TOOL_CALL)
    assert (one.step_id, one.session_id, one.partition) == (TOOL_CALL.id, TOOL_CALL.session_id, 4)
    assert (one.born_ms, one.result_topic) == (int(BORN.timestamp() * 1000), TOOL_RESULTS)


async def test_a_result_belongs_to_its_call_and_says_which_attempt_made_it() -> None:
    result = await job(call("give"), returning({"n": 1})).work(ATTEMPT)
    assert (result.id, result.tool_call_id) == (tool_result_id(TOOL_CALL.id), TOOL_CALL.id)
    assert (result.outcome, result.success, result.result) == (ToolOutcome.SUCCEEDED, True, '{"n":1}')
    assert (result.run_id, result.attempt_id, result.created_at) == (TOOL_CALL.run_id, ATTEMPT, BORN)
    assert (result.error_code, result.error_message) == (None, None)


async def test_an_unknown_tool_is_a_result_that_names_those_there_are() -> None:
    result = await job(call("gve"), returning(1, name="b"), returning(1, name="a")).work(ATTEMPT)
    assert (result.outcome, result.error_code) == (ToolOutcome.UNKNOWN_TOOL, ErrorCode.UNKNOWN_TOOL)
    assert result.error_message == "there is no tool 'gve'; there are: a, b"
    assert (result.success, result.result) == (False, "null")


async def test_arguments_that_do_not_fit_are_a_result() -> None:
    result = await job(call("give", '{"count":"many"}'), returning(1)).work(ATTEMPT)
    assert (result.outcome, result.error_code) == (
        ToolOutcome.INVALID_ARGUMENTS,
        ErrorCode.INVALID_ARGUMENTS,
    )
    assert "count: " in (result.error_message or "")


async def test_a_tool_gets_the_calls_ids_with_the_step_as_idempotency_key() -> None:
    got: list[ToolContext] = []

    @tool(effect="pure", name="see")
    async def see(_arguments: Arguments, context: ToolContext) -> None:
        """See."""
        got.append(context)

    _ = await job(call("see"), see).work(ATTEMPT)
    assert got == [
        ToolContext(
            session_id=TOOL_CALL.session_id,
            user_id=TOOL_CALL.user_id,
            run_id=TOOL_CALL.run_id,
            step_id=TOOL_CALL.id,
            agent_id=TOOL_CALL.agent_id,
            approved_by=TOOL_CALL.approved_by,
            traceparent=derived("x").traceparent,
        )
    ]


async def test_after_the_deadline_the_tool_is_not_started() -> None:
    started = raising(AssertionError("started"))
    result = await job(call("fail"), started, now=BORN + timedelta(seconds=300)).work(ATTEMPT)
    assert (result.outcome, result.error_code) == (ToolOutcome.TIMED_OUT, ErrorCode.DEADLINE)


async def test_a_tool_may_not_run_beyond_the_calls_deadline() -> None:
    result = await job(call("wait-default", deadline_s=0.05), waiting(asyncio.Event())).work(ATTEMPT)
    assert (result.outcome, result.error_code) == (ToolOutcome.TIMED_OUT, ErrorCode.TOOL_TIMEOUT)
    assert result.latency_ms >= 40


async def test_a_transient_error_of_a_tool_is_no_result() -> None:
    with pytest.raises(TransientError):
        _ = await job(call("fail"), raising(TransientError("later"))).work(ATTEMPT)


@pytest.mark.parametrize(
    ("effect", "arguments", "is_once"),
    [
        ("once", "{}", True),
        ("pure", "{}", False),
        ("idempotent", "{}", False),
        ("once", '{"count":"x"}', False),
    ],
)
def test_only_a_call_that_can_start_a_once_tool_is_once(effect: str, arguments: str, is_once: bool) -> None:
    assert job(call("act", arguments), of_effect(effect)).is_once is is_once


async def test_an_outcome_that_nobody_knows_says_what_to_look_for() -> None:
    result = job(call("act"), of_effect("once")).outcome_unknown()
    assert (result.outcome, result.error_code) == (
        ToolOutcome.OUTCOME_UNKNOWN,
        ErrorCode.TOOL_OUTCOME_UNKNOWN,
    )
    assert "must never start twice" in (result.error_message or "")
    assert result.attempt_id is None


async def test_calls_of_one_process_share_the_pools_places() -> None:
    slow = returning(1)
    executing = job(call("give"), slow, pool_size=1).shared
    first, second = (executing.job(call("give"), partition=0, trace=derived("x")) for _ in range(2))
    async with first.slot():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), second.slot():
                pass


async def test_a_call_that_cannot_start_needs_no_place() -> None:
    executing = job(call("give"), returning(1), pool_size=1).shared
    unknown = executing.job(call("gone"), partition=0, trace=derived("x"))
    known = executing.job(call("give"), partition=0, trace=derived("x"))
    async with known.slot(), asyncio.timeout(1), unknown.slot():
        assert (await unknown.work(ATTEMPT)).outcome is ToolOutcome.UNKNOWN_TOOL


@pytest.mark.parametrize(
    "what",
    [
        returning("x" * 900_000, name="act"),
        returning('"\\' * 400_000, name="act"),
        returning("\x00 \ufffd 🚢", name="act"),
        raising(ToolError("é" * 900_000)),
        raising(ToolError("half \ud83d")),
    ],
    ids=["long", "escaped", "odd characters", "long error", "half a character"],
)
async def test_whatever_a_tool_does_its_result_survives_journal_and_wire(what: Tool) -> None:
    one = job(call(what.name), what)
    result = await one.work(ATTEMPT)
    assert one.unpack(one.pack(result)) == result
    assert ToolResult.model_validate(result.model_dump()) == result
    value = CODEC.encode(result)
    assert len(value) <= MAX_VALUE_BYTES
    assert CODEC.decode(TOOL_RESULTS, value) == result


async def test_the_record_is_asked_for_the_result_of_the_call() -> None:
    result: Any = await job(call("give"), returning(1)).work(ATTEMPT)
    recorded = FakeRecorded({TOOL_CALL.id: result})
    assert await job(call("give"), record=recorded).look_up() == result
    assert await job(call("give")).look_up() is None
