"""One start of a tool: whatever it does becomes an outcome that a model can read."""

import asyncio
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, field_validator

from schemas.errors import ErrorCode, TransientError
from schemas.lists import ToolOutcome
from streams.execute.invoke import MAX_MESSAGE_CHARS, Invocation, Invoker, succeeded, validated
from streams.execute.tool import Tool, ToolContext, ToolError, tool
from tests.unit.streams.execute.tools_for_tests import CONTEXT, Arguments, raising, returning, waiting

LIMIT_BYTES = 1_000


async def invoked(what: Tool, *, limit_s: float = 5) -> Invocation:
    invoker = Invoker(pool_size=4, result_limit_bytes=LIMIT_BYTES)
    return await invoker.invoke(what, Arguments(), CONTEXT, limit_s)


async def test_a_result_is_json() -> None:
    assert await invoked(returning({"a": [1, None, "ü"]})) == Invocation(
        outcome=ToolOutcome.SUCCEEDED, result='{"a":[1,null,"ü"]}'
    )


async def test_a_tool_gets_its_arguments_and_who_calls() -> None:
    got: list[object] = []

    @tool(effect="pure", name="see")
    async def see(arguments: Arguments, context: ToolContext) -> None:
        """See."""
        got.extend((arguments, context))

    invocation = await invoked(see)
    assert got == [Arguments(), CONTEXT]
    assert invocation.result == "null"


@dataclass
class Point:
    """A value of an author."""

    x: int


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Arguments(count=2), {"count": 2, "names": []}),
        (Point(1), {"x": 1}),
        (
            {
                1,
            },
            [1],
        ),
        ((1, 2), [1, 2]),
        ({1: "a"}, {"1": "a"}),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        ([math.nan, math.inf, 1.5], [None, None, 1.5]),
    ],
)
def test_usual_python_values_have_a_form_in_json(value: Any, expected: Any) -> None:
    invocation = succeeded("t", value, LIMIT_BYTES)
    assert invocation.outcome is ToolOutcome.SUCCEEDED
    assert orjson.loads(invocation.result) == expected


@pytest.mark.parametrize("value", [object(), b"bytes", 10**30, "\ud800", {"deep": object()}, {(1, 2): 3}])
def test_a_value_that_is_not_json_is_a_failure_that_says_so(value: Any) -> None:
    invocation = succeeded("t", value, LIMIT_BYTES)
    assert (invocation.outcome, invocation.error_code) == (ToolOutcome.FAILED, ErrorCode.TOOL_FAILED)
    assert "t returned something that is not JSON" in (invocation.error_message or "")
    assert invocation.result == "null"


def test_a_result_of_exactly_the_limit_is_whole() -> None:
    text = "x" * (LIMIT_BYTES - 2)
    assert orjson.loads(succeeded("t", text, LIMIT_BYTES).result) == text


def test_a_larger_result_is_its_beginning_with_a_note() -> None:
    result = orjson.loads(succeeded("t", "x" * (LIMIT_BYTES - 1), LIMIT_BYTES).result)
    assert result["truncated"] is True
    assert f"{LIMIT_BYTES + 1} bytes" in result["note"]
    assert result["beginning"].startswith('"xxx')


@given(st.text('"\\ü🚢\n\x01a', min_size=LIMIT_BYTES, max_size=2 * LIMIT_BYTES))
def test_a_cut_result_is_json_within_the_limit(text: str) -> None:
    result = succeeded("t", text, LIMIT_BYTES).result
    assert len(result.encode()) <= LIMIT_BYTES
    beginning = orjson.loads(result)["beginning"]
    assert orjson.dumps(text).decode().startswith(beginning)


async def test_a_tool_that_takes_too_long_is_stopped_and_the_model_told_to_ask_for_less() -> None:
    invocation = await invoked(waiting(asyncio.Event()), limit_s=0.02)
    assert (invocation.outcome, invocation.error_code) == (ToolOutcome.TIMED_OUT, ErrorCode.TOOL_TIMEOUT)
    assert "within 0.02 s; ask for less" in (invocation.error_message or "")


async def test_a_timeout_inside_a_tool_is_not_the_tools_own_limit() -> None:
    invocation = await invoked(raising(TimeoutError("of some client")))
    assert (invocation.outcome, invocation.error_code) == (ToolOutcome.FAILED, ErrorCode.TOOL_FAILED)
    assert "unexpectedly (TimeoutError)" in (invocation.error_message or "")


async def test_a_tools_own_error_reaches_the_model_as_it_is() -> None:
    error = ToolError("give a city", code=ErrorCode.INVALID_ARGUMENTS)
    assert await invoked(raising(error)) == Invocation(
        outcome=ToolOutcome.FAILED, error_code=ErrorCode.INVALID_ARGUMENTS, error_message="give a city"
    )


async def test_an_unforeseen_error_tells_the_model_its_name_and_none_of_its_text() -> None:
    invocation = await invoked(raising(KeyError("password=hunter2")))
    assert invocation.outcome is ToolOutcome.FAILED
    assert invocation.error_message == "fail failed unexpectedly (KeyError)"


async def test_an_error_as_long_as_a_book_is_cut() -> None:
    invocation = await invoked(raising(ToolError("x" * 1_000_000)))
    assert len(invocation.error_message or "") == MAX_MESSAGE_CHARS


async def test_an_error_with_half_a_character_can_be_sent() -> None:
    invocation = await invoked(raising(ToolError("lost \ud83d")))
    assert invocation.error_message == "lost \ufffd"


async def test_a_transient_error_is_for_the_runtime_which_tries_again() -> None:
    with pytest.raises(TransientError, match="later"):
        _ = await invoked(raising(TransientError("later")))


async def test_cancelling_a_call_cancels_its_tool() -> None:
    seen: list[str] = []

    @tool(effect="pure", name="see")
    async def see(_arguments: Arguments, _context: ToolContext) -> None:
        """See."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    calling = asyncio.create_task(invoked(see))
    await asyncio.sleep(0.01)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert seen == ["cancelled"]


async def test_a_tool_whose_own_helper_was_cancelled_has_failed_and_is_not_started_again() -> None:
    invocation = await invoked(raising(asyncio.CancelledError()))
    assert invocation.outcome is ToolOutcome.FAILED
    assert "something that was cancelled" in (invocation.error_message or "")


class Strict(BaseModel):
    """Arguments with a required field."""

    city: str
    days: list[int] = []


@tool(effect="pure")
async def forecast(_arguments: Strict, _context: ToolContext) -> None:
    """Tell the weather."""


def test_arguments_that_fit_are_the_tools_model() -> None:
    assert validated(forecast, '{"city":"Madrid"}') == Strict(city="Madrid")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("{}", "city: Field required"),
        ('{"city":1,"days":["x"]}', "city: Input should be a valid string; days.0: "),
        ('{"city":', "the arguments: Invalid JSON"),
        ("[]", "the arguments: "),
    ],
)
def test_arguments_that_do_not_fit_tell_the_model_each_field(arguments: str, told: str) -> None:
    invocation = validated(forecast, arguments)
    assert isinstance(invocation, Invocation)
    assert (invocation.outcome, invocation.error_code) == (
        ToolOutcome.INVALID_ARGUMENTS,
        ErrorCode.INVALID_ARGUMENTS,
    )
    assert f"the arguments of forecast do not fit: {told}" in (invocation.error_message or "")


class Careless(BaseModel):
    """Arguments whose author did not think of an empty list."""

    days: list[int] = []

    @field_validator("days")
    @classmethod
    def _of_a_year(cls, value: list[int]) -> list[int]:
        return [] if value[0] > 366 else value


@tool(effect="pure")
async def plan(_arguments: Careless, _context: ToolContext) -> None:
    """Plan."""


def test_an_error_of_the_authors_own_validation_is_told_to_the_model() -> None:
    invocation = validated(plan, '{"days": []}')
    assert isinstance(invocation, Invocation)
    assert invocation.outcome is ToolOutcome.INVALID_ARGUMENTS
    assert invocation.error_message == "the arguments of plan cannot be checked (IndexError)"


def test_ten_thousand_wrong_arguments_are_told_in_short() -> None:
    arguments = orjson.dumps({"city": "x", "days": ["wrong"] * 10_000}).decode()
    invocation = validated(forecast, arguments)
    assert isinstance(invocation, Invocation)
    assert len(invocation.error_message or "") == MAX_MESSAGE_CHARS


async def started_at_once(invoker: Invoker, tools: list[Tool], gate: asyncio.Event) -> int:
    """How many of `tools` have a place before the first ends; all of them have run in the end."""
    running = 0

    async def one(each: Tool) -> None:
        nonlocal running
        async with invoker.slot(each):
            running += 1
            _ = await invoker.invoke(each, Arguments(), CONTEXT, 5)

    tasks = [asyncio.create_task(one(each)) for each in tools]
    await asyncio.sleep(0.01)
    seen = running
    gate.set()
    async with asyncio.timeout(2):
        await asyncio.gather(*tasks)
    assert running == len(tools)
    return seen


async def test_a_pool_lets_so_many_run_at_a_time_and_the_rest_afterwards() -> None:
    gate = asyncio.Event()
    invoker = Invoker(pool_size=2, result_limit_bytes=LIMIT_BYTES)
    seen = await started_at_once(invoker, [waiting(gate)] * 5, gate)
    assert seen == 2


async def test_a_full_pool_does_not_hold_up_another() -> None:
    gate = asyncio.Event()
    invoker = Invoker(pool_size=1, result_limit_bytes=LIMIT_BYTES)
    seen = await started_at_once(invoker, [waiting(gate), waiting(gate), waiting(gate, pool="sql")], gate)
    assert seen == 2
