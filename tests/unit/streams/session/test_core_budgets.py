"""What runs and sessions may spend, and what becomes of a run that has spent it."""

from datetime import timedelta

import orjson
import pytest

from schemas.errors import ErrorCode
from schemas.lists import BusyPolicy, CommandKind, RunStatus, StopReason, ToolOutcome
from schemas.records import Record, Run, TaskLogs
from streams.session.prompt import ANSWER_AT_LAST
from tests.unit.streams.session.simulated import Simulated, agent, analyst

SELECT = ("sql_query", {"query": "select 1"})


def actions(logs: TaskLogs) -> list[str]:
    return [entry.action.value for entry in logs.entries]


def ended(records: tuple[Record, ...]) -> Run:
    (run,) = [record for record in records if isinstance(record, Run) and record.status.is_terminal]
    return run


def session_with(**configuration: object) -> Simulated:
    return Simulated(agents={"analyst": analyst(**configuration)})


def round_trip(session: Simulated) -> tuple[Record, ...]:
    """Let the model call a tool once, and the tool answer."""
    session.answer(session.requests()[-1], "", [SELECT])
    return session.result(session.calls()[-1], 3)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"generations": 1}, StopReason.BUDGET_GENERATIONS),
        ({"tokens": 15}, StopReason.BUDGET_TOKENS),
        ({"cost": 0.1}, StopReason.BUDGET_COST),
        ({"seconds": 1}, StopReason.BUDGET_SECONDS),
    ],
)
@pytest.mark.parametrize("of", ["limits", "session_limits"])
def test_each_budget_ends_the_run_with_its_own_reason(
    of: str, limits: dict[str, float], reason: StopReason
) -> None:
    session = session_with(**({"limits": {}} | {of: limits}))
    session.say("Go")
    session.answer(session.requests()[-1], "", [SELECT])
    session.now += timedelta(milliseconds=900)
    run = ended(session.result(session.calls()[-1], 3))
    assert actions(session.decisions[-1])[-2:] == ["budget_exceeded", "run_failed"]
    assert (run.status, run.stop_reason, run.error_code) == (RunStatus.FAILED, reason, reason.value)
    assert f"raise the agent's {of}" in (run.error_message or "")


@pytest.mark.parametrize(
    "configuration",
    [
        {"generation_deadline_s": 10**12, "limits": {"seconds": None}},
        {"tool_deadline_s": 10**12},
        {"approval_limit_s": 10**12},
        {"limits": {"tokens": 2**62}},
    ],
)
def test_limits_beyond_all_dates_and_numbers_are_a_fault_of_the_agent(
    configuration: dict[str, object],
) -> None:
    run = ended(session_with(**configuration).say("Go"))
    assert (run.status, run.stop_reason) == (RunStatus.REJECTED, StopReason.INVALID)
    assert "should be less than or equal to" in (run.error_message or "")


def test_a_step_that_hangs_is_ended_when_the_seconds_of_its_run_are_used_up() -> None:
    session = session_with(limits={"seconds": 30}, tool_deadline_s=300)
    session.say("Go")
    assert (session.requests()[-1].deadline_at - session.now).total_seconds() == 30
    session.now += timedelta(seconds=10)
    session.answer(session.requests()[-1], "", [SELECT])
    call = session.calls()[-1]
    assert (call.deadline_at - session.now).total_seconds() == pytest.approx(19.75)
    run = ended(session.fire_step(call.id))
    assert actions(session.decisions[-1]) == ["deadline_passed", "budget_exceeded", "run_failed"]
    assert run.stop_reason is StopReason.BUDGET_SECONDS


def test_a_model_that_runs_out_of_the_seconds_left_is_a_matter_of_the_budget() -> None:
    session = session_with(limits={"seconds": 30}, generation_deadline_s=300)
    session.say("Go")
    session.now += timedelta(seconds=29)
    run = ended(session.answer(session.requests()[-1], error_code=ErrorCode.MODEL_TIMEOUT))
    assert run.stop_reason is StopReason.BUDGET_SECONDS
    session = session_with(limits={"seconds": 300}, generation_deadline_s=30)
    session.say("Go")
    run = ended(session.answer(session.requests()[-1], error_code=ErrorCode.MODEL_TIMEOUT))
    assert run.stop_reason is StopReason.MODEL_ERROR


def test_a_last_answer_is_asked_for_without_tools_and_completes_the_run() -> None:
    session = session_with(limits={"generations": 1}, last_answer=True)
    session.say("Go")
    round_trip(session)
    assert actions(session.decisions[-1])[-2:] == ["budget_exceeded", "generation_requested"]
    request = session.requests()[-1]
    assert request.tools == "[]"
    assert ANSWER_AT_LAST in orjson.loads(request.messages)[0]["content"]
    run = ended(session.answer(request, "About three.", [SELECT]))
    assert (run.status, run.stop_reason, run.output) == (
        RunStatus.COMPLETED,
        StopReason.BUDGET_GENERATIONS,
        "About three.",
    )
    assert len(session.requests()) == 2


@pytest.mark.parametrize("how", ["fails", "is late", "is silent", "hangs"])
def test_a_last_answer_that_does_not_come_fails_the_run_for_the_budget(how: str) -> None:
    session = session_with(limits={"tokens": 15, "seconds": 60}, last_answer=True)
    session.say("Go")
    round_trip(session)
    request = session.requests()[-1]
    session.now += timedelta(seconds=100)
    if how == "fails":
        run = ended(session.answer(request, error_code="model_unavailable"))
    elif how == "is late":
        run = ended(session.answer(request, error_code="model_timeout"))
    elif how == "is silent":
        run = ended(session.answer(request, "", [SELECT]))
    else:
        run = ended(session.fire_step(request.id))
    assert (run.status, run.stop_reason) == (RunStatus.FAILED, StopReason.BUDGET_TOKENS)
    assert len(session.requests()) == 2


def test_a_hanging_tool_is_left_for_the_last_answer_and_its_late_result_is_ignored() -> None:
    session = session_with(limits={"seconds": 30}, last_answer=True)
    session.say("Go")
    session.answer(session.requests()[-1], "", [SELECT, SELECT])
    one, two = session.calls()
    session.result(one, 3)
    session.fire_step(two.id)
    assert actions(session.decisions[-1]) == ["deadline_passed", "budget_exceeded", "generation_requested"]
    chat = orjson.loads(session.requests()[-1].messages)
    assert [message["role"] for message in chat[-2:]] == ["tool", "tool"]
    assert "did not answer" in chat[-1]["content"]
    session.result(two, 4)
    assert actions(session.decisions[-1]) == ["result_ignored"]
    assert ended(session.answer(session.requests()[-1], "Three, I think.")).output == "Three, I think."


def test_a_session_that_has_spent_its_budget_turns_messages_away_and_says_what_to_do() -> None:
    session = session_with(session_limits={"tokens": 30})
    for _ in range(2):
        session.say("Hello")
        session.answer(session.requests()[-1], "Hi.")
    run = ended(session.say("Hello?"))
    assert (run.status, run.stop_reason) == (RunStatus.REJECTED, StopReason.BUDGET_TOKENS)
    assert "begin a new session" in (run.error_message or "")


def test_waiting_runs_of_a_session_that_has_spent_its_budget_end_without_beginning() -> None:
    session = session_with(session_limits={"generations": 1})
    for _ in range(3):
        session.say("Hello")
    published = session.answer(session.requests()[-1], "Hi.")
    runs = [record for record in published if isinstance(record, Run)]
    assert [run.status for run in runs] == [RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.FAILED]
    assert {run.stop_reason for run in runs[1:]} == {StopReason.BUDGET_GENERATIONS}
    assert all(run.started_at is None for run in runs[1:])
    assert len(session.requests()) == 1


def test_a_waiting_run_of_a_richer_agent_begins_all_the_same() -> None:
    session = session_with(session_limits={"generations": 1})
    session.agents["rich"] = agent("rich")
    session.say("one")
    session.say("two")
    session.say("three", agent_id="rich")
    published = session.answer(session.requests()[-1], "Hi.")
    runs = [record for record in published if isinstance(record, Run)]
    assert [run.status for run in runs] == [RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.RUNNING]


def test_the_seconds_of_a_session_are_those_that_its_runs_took() -> None:
    session = session_with(session_limits={"seconds": 100})
    session.say("one")
    session.now += timedelta(seconds=40)
    session.answer(session.requests()[-1], "1")
    session.now += timedelta(hours=3)
    session.say("two")
    left = (session.requests()[-1].deadline_at - session.now).total_seconds()
    assert left == pytest.approx(59.75)
    session.command(CommandKind.CANCEL, run_id=session.requests()[-1].run_id)
    assert session.context.spent_ms == pytest.approx(40_500, abs=1)


def test_a_newer_message_cannot_interrupt_a_run_when_the_session_has_nothing_left_for_it() -> None:
    session = session_with(session_limits={"tokens": 15}, limits={})
    session.say("one")
    session.answer(session.requests()[-1], "1")
    session.agents["rich"] = agent("rich")
    session.say("two", agent_id="rich")
    assert ended(session.say("three", on_busy=BusyPolicy.INTERRUPT)).status is RunStatus.REJECTED
    assert session.context.run is not None


def test_a_run_that_asks_a_person_is_not_asked_for_its_last_answer() -> None:
    session = session_with(limits={"seconds": 30}, last_answer=True)
    session.say("Go")
    session.answer(session.requests()[-1], "", [SELECT, SELECT])
    one, two = session.calls()
    session.now = two.deadline_at - timedelta(milliseconds=250)
    session.result(one, "who knows", ToolOutcome.OUTCOME_UNKNOWN)
    run = ended(session.fire_step(two.id))
    assert (run.status, run.stop_reason) == (RunStatus.FAILED, StopReason.BUDGET_SECONDS)
