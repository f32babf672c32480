"""A person decides about tool calls: asked, approved, denied, too late."""

from datetime import timedelta

import orjson
import pytest

from schemas import ids
from schemas.lists import (
    Action,
    BusyPolicy,
    CommandKind,
    Purpose,
    RunStatus,
    StopReason,
    TimerKind,
    ToolOutcome,
)
from schemas.records import ConversationMessage, GenerationRequest, Record, Run, Session, TaskLogs, ToolCall
from streams.session.context import StepKind, to_bytes
from streams.session.event import time_of
from streams.session.feed import stages
from streams.session.project import reissue
from streams.session.timers import timers_of
from tests.unit.streams.session.simulated import Simulated, analyst

SELECT = ("sql_query", {"query": "delete from orders"})
CLOCK = ("current_time", {})


def actions(logs: TaskLogs) -> list[str]:
    return [entry.action.value for entry in logs.entries]


def statuses(records: tuple[Record, ...]) -> list[RunStatus]:
    return [record.status for record in records if isinstance(record, Run)]


def session_with(**configuration: object) -> Simulated:
    values: dict[str, object] = {"approvals": {"sql_query": "always"}, "approval_limit_s": 600}
    return Simulated(agents={"analyst": analyst(**(values | configuration))})


def asking(*calls: tuple[str, object], **configuration: object) -> Simulated:
    """Return a session in which the model has asked for `calls`, the first of which needs a person."""
    session = session_with(**configuration)
    session.say("Clean up")
    session.answer(session.requests()[-1], "I will clean up.", calls or (SELECT,))
    return session


def test_a_call_that_needs_a_person_waits_and_is_not_sent() -> None:
    session = asking()
    assert actions(session.decisions[-1])[-2:] == ["approval_requested", "run_waiting"]
    assert session.calls() == []
    assert reissue(session.context) == ()
    (step,) = session.context.pending
    timer = timers_of(session.context)[step.step_id]
    assert (step.kind, timer.kind) == (StepKind.APPROVAL, TimerKind.APPROVAL)
    assert timer.due_ms - step.born_at_ms == 600_000
    assert orjson.loads(step.arguments or "") == SELECT[1]
    assert statuses(tuple(session.outputs))[-1] is RunStatus.WAITING
    (told,) = [record for record in session.outputs if isinstance(record, Session)][-1:]
    assert orjson.loads(told.timers)[0]["kind"] == "approval"


def test_other_calls_of_the_batch_run_meanwhile() -> None:
    session = asking(CLOCK, SELECT)
    (clock,) = session.calls()
    assert clock.name == "current_time"
    session.result(clock, "noon")
    assert len(session.requests()) == 1
    session.command(CommandKind.APPROVE, step_id=session.asked()[0])
    session.result(session.calls()[-1], 3)
    chat = orjson.loads(session.requests()[-1].messages)
    assert [message["content"] for message in chat[-2:]] == ["noon", "3"]


def test_an_approved_call_starts_with_the_name_of_who_approved_it_and_its_time_counts_from_then() -> None:
    session = asking()
    session.now += timedelta(seconds=500)
    published = session.command(CommandKind.APPROVE, step_id=session.asked()[0], reason="go")
    assert actions(session.decisions[-1]) == ["tool_approved", "tool_called"]
    (call,) = [record for record in published if isinstance(record, ToolCall)]
    assert (call.id, call.approved_by) == (session.asked()[0], "alice")
    assert call.deadline_at - session.now == timedelta(seconds=300)
    assert statuses(published) == [RunStatus.RUNNING]
    session.result(call, 3)
    (run,) = [r for r in session.answer(session.requests()[-1], "Done.") if isinstance(r, Run)]
    assert run.stop_reason is StopReason.ANSWERED


def test_the_approval_survives_a_restart_because_it_is_in_the_logs() -> None:
    session = asking()
    session.context = session.folded()
    session.term += 1
    session.command(CommandKind.APPROVE, step_id=session.asked()[0])
    assert [call.name for call in session.calls()] == ["sql_query"]
    assert to_bytes(session.folded()) == to_bytes(session.context)


def test_the_model_reads_why_a_call_was_denied() -> None:
    session = asking()
    published = session.command(CommandKind.DENY, step_id=session.asked()[0], reason="too dangerous")
    assert actions(session.decisions[-1]) == ["tool_denied", "observation", "generation_requested"]
    assert session.calls() == []
    assert statuses(published) == [RunStatus.RUNNING]
    (asked,) = [record for record in published if isinstance(record, GenerationRequest)]
    assert orjson.loads(asked.messages)[-1]["content"] == (
        "Error (denied): the call was not allowed: too dangerous"
    )
    (told,) = [r for r in published if isinstance(r, ConversationMessage) and r.tool_results]
    assert orjson.loads(told.tool_results or "")[0]["outcome"] == "denied"


def test_a_call_that_nobody_decides_about_is_denied_by_the_clock() -> None:
    session = asking()
    session.fire_step(session.asked()[0])
    assert actions(session.decisions[-1])[0] == "tool_denied"
    assert orjson.loads(session.decisions[-1].entries[0].payload)["denied_by"] is None
    assert "nobody approved it within 600 s" in session.requests()[-1].messages
    session.command(CommandKind.APPROVE, step_id=session.asked()[0])
    assert actions(session.decisions[-1]) == ["command_ignored"]
    assert session.calls() == []


@pytest.mark.parametrize("first", [CommandKind.APPROVE, CommandKind.DENY])
@pytest.mark.parametrize("second", [CommandKind.APPROVE, CommandKind.DENY])
def test_a_second_word_about_a_call_is_logged_and_ignored(first: CommandKind, second: CommandKind) -> None:
    session = asking()
    session.command(first, step_id=session.asked()[0])
    before = len(session.calls())
    session.command(second, step_id=session.asked()[0])
    assert actions(session.decisions[-1]) == ["command_ignored"]
    assert len(session.calls()) == before


def test_only_the_owner_decides_and_only_about_a_call_that_is_asked_about() -> None:
    session = asking()
    (step_id,) = session.asked()
    session.command(CommandKind.APPROVE, step_id=step_id, user_id="mallory")
    session.command(CommandKind.APPROVE)
    session.command(CommandKind.APPROVE, step_id="another")
    session.command(CommandKind.APPROVE, step_id=step_id, run_id=ids.run_id("another", "run"))
    assert [actions(logs) for logs in session.decisions[-4:]] == [["command_ignored"]] * 4
    assert session.calls() == []


@pytest.mark.parametrize("kind", [CommandKind.CANCEL, CommandKind.INTERRUPT, CommandKind.ROLLBACK])
def test_a_waiting_run_can_be_ended_and_the_approval_comes_too_late(kind: CommandKind) -> None:
    session = asking(CLOCK, SELECT)
    assert session.context.run is not None
    session.say("And now?")
    published = session.command(kind, run_id=session.context.run.id)
    assert statuses(published) == [RunStatus.CANCELLED, RunStatus.RUNNING]
    assert [step.kind for step in session.context.pending] == [StepKind.GENERATION]
    assert session.context.abandoned == (session.calls()[0].id,)
    session.command(CommandKind.APPROVE, step_id=session.asked()[0])
    assert actions(session.decisions[-1]) == ["command_ignored"]


def test_a_deadline_of_another_call_ends_a_waiting_run() -> None:
    session = asking(CLOCK, SELECT)
    session.fire_step(session.calls()[0].id)
    assert session.context.run is None
    assert session.context.pending == ()
    assert session.context.ended[0].stop_reason is StopReason.DEADLINE


def test_a_run_is_running_again_when_the_last_person_is_not_waited_for_any_more() -> None:
    session = asking(SELECT, SELECT)
    one, two = session.asked()
    assert statuses(session.command(CommandKind.APPROVE, step_id=one)) == []
    assert statuses(session.command(CommandKind.DENY, step_id=two)) == [RunStatus.RUNNING]
    session.result(session.calls()[-1], 3)
    assert len(session.requests()) == 2


def test_a_timer_from_before_the_question_denies_when_the_time_of_the_question_is_over() -> None:
    session = unknown()
    (step,) = session.context.pending
    early = time_of(step.due_ms - 1)
    assert session.fire(step.step_id, early, TimerKind.DEADLINE) == ()
    assert session.context.pending == (step,)
    # Put back from a record of when the call itself was waited for: Redis keeps the later of two due times.
    session.fire(step.step_id, time_of(step.due_ms + 1), TimerKind.DEADLINE)
    assert actions(session.decisions[-1])[0] == "tool_denied"
    assert session.context.pending == ()


def test_calls_that_run_while_a_person_is_asked_have_their_own_time_only() -> None:
    session = asking(SELECT, SELECT, CLOCK, limits={"seconds": 30})
    session.command(CommandKind.APPROVE, step_id=session.asked()[0])
    for call in session.calls():
        assert call.deadline_at - call.born_at == timedelta(seconds=300)
    assert len(session.calls()) == 2


def test_a_denial_may_be_followed_by_the_last_answer() -> None:
    session = asking(limits={"generations": 1}, last_answer=True)
    session.command(CommandKind.DENY, step_id=session.asked()[0])
    assert actions(session.decisions[-1])[-2:] == ["budget_exceeded", "generation_requested"]


def test_a_denied_call_of_a_batch_is_reflected_on() -> None:
    session = asking(SELECT, CLOCK, reflection="on_error")
    session.command(CommandKind.DENY, step_id=session.asked()[0])
    session.result(session.calls()[0], "noon")
    assert session.requests()[-1].purpose is Purpose.REFLECT


def test_the_time_that_a_person_takes_is_nobodys_budget() -> None:
    session = asking(limits={"seconds": 30})
    session.now += timedelta(seconds=500)
    session.command(CommandKind.APPROVE, step_id=session.asked()[0])
    call = session.calls()[-1]
    assert timedelta(seconds=29) < call.deadline_at - session.now < timedelta(seconds=30)
    session.result(call, 3)
    assert len(session.requests()) == 2
    session.answer(session.requests()[-1], "Done.")
    assert session.context.ended[0].stop_reason is StopReason.ANSWERED
    assert session.context.spent_ms < 2_000


def test_whoever_is_turned_away_reads_that_the_run_asks_something() -> None:
    session = asking()
    (run,) = [r for r in session.say("Hello?", on_busy=BusyPolicy.REJECT) if isinstance(r, Run)]
    assert "approve or deny" in (run.error_message or "")


def test_the_feed_shows_what_is_asked_and_what_was_decided() -> None:
    session = asking(SELECT, SELECT)
    one, two = session.asked()
    session.command(CommandKind.APPROVE, step_id=one)
    session.command(CommandKind.DENY, step_id=two, reason="no")
    shown = [orjson.loads(stage.data) for logs in session.decisions[1:] for stage in stages(logs)]
    kinds = ["approval_requested", "approval_requested", "run_waiting", "tool_approved", "tool_denied"]
    of_person = [stage for stage in shown if stage["stage"] in kinds]
    assert [stage["stage"] for stage in of_person] == kinds
    assert of_person[0]["tool_call_id"] == one
    assert "delete" in of_person[0]["arguments"]
    assert (of_person[3]["approved_by"], of_person[4]["reason"]) == ("alice", "no")


def unknown(**configuration: object) -> Simulated:
    """Return a session in which nobody knows whether a call did its work."""
    session = session_with(approvals={}, **configuration)
    session.say("Pay")
    session.answer(session.requests()[-1], "", (SELECT,))
    session.result(session.calls()[0], "who knows", ToolOutcome.OUTCOME_UNKNOWN)
    return session


def test_an_unknown_outcome_is_put_before_a_person() -> None:
    session = unknown()
    assert actions(session.decisions[-1]) == ["tool_outcome_unknown", "approval_requested", "run_waiting"]
    assert session.asked() == [session.calls()[0].id]
    assert statuses(tuple(session.outputs))[-1] is RunStatus.WAITING


def test_an_approved_repetition_starts_under_a_new_id_and_answers_the_same_call() -> None:
    session = unknown()
    first = session.calls()[0]
    session.command(CommandKind.APPROVE, step_id=first.id)
    again = session.calls()[-1]
    assert again.id == ids.repeated_call_id(first.id)
    assert (again.arguments, again.approved_by) == (first.arguments, "alice")
    session.result(first, "late")
    assert len(session.requests()) == 1
    session.result(again, 3)
    chat = orjson.loads(session.requests()[-1].messages)
    assert (chat[-1]["tool_call_id"], chat[-1]["content"]) == (first.id, "3")
    assert len([message for message in chat if message["role"] == "tool"]) == 1


def test_a_repetition_of_unknown_outcome_is_asked_about_once_more() -> None:
    session = unknown()
    for _ in range(3):
        call = session.calls()[-1]
        session.command(CommandKind.APPROVE, step_id=call.id)
        session.result(session.calls()[-1], "who knows", ToolOutcome.OUTCOME_UNKNOWN)
    assert len({call.id for call in session.calls()}) == 4
    assert len(session.context.messages) == 2
    session.command(CommandKind.APPROVE, step_id=session.asked()[-1])
    session.result(session.calls()[-1], 3)
    assert orjson.loads(session.requests()[-1].messages)[-1]["content"] == "3"


def test_nobody_repeating_it_ends_the_run_with_what_to_do() -> None:
    for by_clock in (True, False):
        session = unknown()
        (step_id,) = session.asked()
        if by_clock:
            published = session.fire_step(step_id)
        else:
            published = session.command(CommandKind.DENY, step_id=step_id, reason="it was booked")
        (run,) = [record for record in published if isinstance(record, Run)]
        assert (run.status, run.stop_reason) == (RunStatus.FAILED, StopReason.TOOL_OUTCOME_UNKNOWN)
        assert run.error_code == "tool_outcome_unknown"
        assert "look there before you ask" in (run.error_message or "")
        assert session.context.pending == ()
        session.say("So?")
        assert "nobody knows whether this call did its work" in session.requests()[-1].messages


def test_the_actions_of_people_name_the_tool_and_its_call() -> None:
    session = asking()
    session.command(CommandKind.DENY, step_id=session.asked()[0])
    named = {Action.APPROVAL_REQUESTED, Action.TOOL_DENIED}
    entries = [entry for logs in session.decisions for entry in logs.entries if entry.action in named]
    assert [(entry.tool_name, entry.tool_call_id) for entry in entries] == [
        ("sql_query", session.asked()[0])
    ] * 2
    assert [entry.success for entry in entries] == [True, False]
