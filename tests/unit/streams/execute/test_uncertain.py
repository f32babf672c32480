"""A tool that was started and did not say how it ended: what each effect class makes of it."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from schemas.errors import ErrorCode, TransientError
from schemas.examples import TOOL_CALL
from schemas.lists import ToolOutcome
from schemas.records import ToolResult
from streams.execute.invoke import Invoker
from streams.execute.job import ExecuteJob, Executing
from streams.execute.reconcile import CannotTell, WasDone, WasNotDone
from streams.execute.registry import Registry
from streams.execute.tool import Tool, ToolContext, ToolError, tool
from telemetry.tracing import derived
from tests.unit.streams.execute.test_job import FakeRecorded
from tests.unit.streams.execute.tools_for_tests import BORN, Arguments, call

ATTEMPT = "01980000-0000-7000-8000-0000000000aa"


def job_of(what: Tool, **changes: Any) -> ExecuteJob:
    executing = Executing(
        registry=Registry([what]),
        invoker=Invoker(pool_size=4, result_limit_bytes=1_000),
        record=FakeRecorded(),
        now=lambda: BORN,
    )
    asked = call("act").model_copy(update=changes)
    return executing.job(asked, partition=0, trace=derived("x"))


async def hanging() -> None:
    await asyncio.Event().wait()


ENDS: dict[str, BaseException | None] = {
    "ends": None,
    "breaks": ConnectionResetError(),
    "cancelled": asyncio.CancelledError(),
    "says so": ToolError("refused"),
    "returns no JSON": None,
}
RETURNS: dict[str, object] = {"returns no JSON": Decimal("12.50")}


def acting(effect: str, how: str, answer: object = None) -> Tool:
    """A tool that ends in `how`; its hook gives (or raises) `answer`."""

    async def ask(_arguments: Arguments, _context: ToolContext) -> Any:
        if isinstance(answer, BaseException):
            raise answer
        if answer == "hangs":
            await hanging()
        return answer

    @tool(effect=effect, name="act", time_limit_s=0.02, reconcile=ask if effect == "reconcile" else None)
    async def act(_arguments: Arguments, _context: ToolContext) -> Any:
        """Act."""
        if how == "hangs":
            await hanging()
        error = ENDS[how]
        if error is not None:
            raise error
        return RETURNS.get(how, "done")

    return act


CASES: list[tuple[str, str, object, ToolOutcome]] = [
    ("pure", "hangs", None, ToolOutcome.TIMED_OUT),
    ("pure", "breaks", None, ToolOutcome.FAILED),
    ("idempotent", "hangs", None, ToolOutcome.TIMED_OUT),
    ("once", "hangs", None, ToolOutcome.OUTCOME_UNKNOWN),
    ("once", "breaks", None, ToolOutcome.OUTCOME_UNKNOWN),
    ("once", "cancelled", None, ToolOutcome.OUTCOME_UNKNOWN),
    ("once", "says so", None, ToolOutcome.FAILED),
    ("once", "ends", None, ToolOutcome.SUCCEEDED),
    ("once", "returns no JSON", None, ToolOutcome.OUTCOME_UNKNOWN),
    ("reconcile", "hangs", WasDone(1), ToolOutcome.SUCCEEDED),
    ("reconcile", "hangs", WasNotDone(), ToolOutcome.TIMED_OUT),
    ("reconcile", "hangs", CannotTell("away"), ToolOutcome.OUTCOME_UNKNOWN),
    ("reconcile", "hangs", "hangs", ToolOutcome.OUTCOME_UNKNOWN),
    ("reconcile", "breaks", WasDone(1), ToolOutcome.SUCCEEDED),
    ("reconcile", "breaks", WasNotDone(), ToolOutcome.FAILED),
    ("reconcile", "breaks", ValueError("x"), ToolOutcome.OUTCOME_UNKNOWN),
    ("reconcile", "breaks", ToolError("away"), ToolOutcome.OUTCOME_UNKNOWN),
    ("reconcile", "cancelled", WasDone(1), ToolOutcome.SUCCEEDED),
    ("reconcile", "cancelled", True, ToolOutcome.OUTCOME_UNKNOWN),
    ("reconcile", "says so", WasDone(1), ToolOutcome.FAILED),
    ("reconcile", "ends", CannotTell(), ToolOutcome.SUCCEEDED),
    ("reconcile", "returns no JSON", WasDone("12.50"), ToolOutcome.SUCCEEDED),
    ("reconcile", "returns no JSON", WasDone(Decimal("12.50")), ToolOutcome.OUTCOME_UNKNOWN),
    ("pure", "returns no JSON", None, ToolOutcome.FAILED),
]


@pytest.mark.parametrize(("effect", "how", "answer", "outcome"), CASES)
async def test_an_end_that_nobody_knows_is_not_called_a_failure(
    effect: str, how: str, answer: object, outcome: ToolOutcome
) -> None:
    result = await job_of(acting(effect, how, answer)).work(ATTEMPT)
    assert result.outcome is outcome
    assert result.success is (outcome is ToolOutcome.SUCCEEDED)


async def test_what_the_hook_found_is_the_result() -> None:
    result: ToolResult = await job_of(acting("reconcile", "hangs", WasDone({"id": 7}))).work(ATTEMPT)
    assert (result.result, result.attempt_id) == ('{"id":7}', ATTEMPT)


async def test_a_hook_that_may_answer_later_is_asked_again() -> None:
    with pytest.raises(TransientError):
        _ = await job_of(acting("reconcile", "ends", TransientError("later"))).reconcile(ATTEMPT)


@pytest.mark.parametrize("effect", ["pure", "idempotent"])
async def test_what_may_be_repeated_is_not_asked_about(effect: str) -> None:
    assert await job_of(acting(effect, "ends")).reconcile(ATTEMPT) is None


def guarded() -> tuple[Tool, list[str]]:
    started: list[str] = []

    @tool(effect="pure", name="act", approval="always")
    async def act(_arguments: Arguments, context: ToolContext) -> str | None:
        """Act."""
        started.append(context.step_id)
        return context.approved_by

    return act, started


async def test_a_tool_that_asks_for_approval_never_starts_without_it() -> None:
    what, started = guarded()
    result = await job_of(what, approved_by=None).work(ATTEMPT)
    assert (result.outcome, result.error_code, started) == (ToolOutcome.DENIED, ErrorCode.DENIED, [])
    assert "approvals: {act: always}" in (result.error_message or "")


async def test_an_approved_call_starts_and_knows_by_whom() -> None:
    what, started = guarded()
    result = await job_of(what, approved_by="bob").work(ATTEMPT)
    assert (result.result, started) == ('"bob"', [TOOL_CALL.id])


def test_a_call_that_is_denied_claims_nothing() -> None:
    @tool(effect="once", name="act", approval="always")
    async def act(_arguments: Arguments, _context: ToolContext) -> None:
        """Act."""

    assert not job_of(act, approved_by=None).is_once
