"""Planning and reflection: generations without tools whose texts are logged, shown, and read by the model."""

from typing import Any

import orjson
import pytest

from schemas.lists import Purpose, RunStatus, StopReason, ToolOutcome
from schemas.records import ConversationMessage, GenerationRequest, Record, Run, TaskLogs
from streams.session.feed import stages
from tests.unit.streams.session.simulated import Simulated, analyst

SELECT = ("sql_query", {"query": "select 1"})


def actions(logs: TaskLogs) -> list[str]:
    return [entry.action.value for entry in logs.entries]


def session_with(**configuration: object) -> Simulated:
    values: dict[str, object] = {"planning": "none", "limits": {"generations": 12}}
    session = Simulated(agents={"analyst": analyst(**(values | configuration))})
    session.say("How many?")
    return session


def newest(session: Simulated) -> GenerationRequest:
    return session.requests()[-1]


def system_of(request: GenerationRequest) -> str:
    chat: list[dict[str, Any]] = orjson.loads(request.messages)
    return chat[0]["content"]


def told(session: Simulated) -> list[tuple[str, str]]:
    records = [record for record in session.outputs if isinstance(record, ConversationMessage)]
    return [(orjson.loads(record.metadata or "{}")["stage"], record.content) for record in records]


def ended(records: tuple[Record, ...]) -> Run:
    (run,) = [record for record in records if isinstance(record, Run) and record.status.is_terminal]
    return run


def test_without_planning_the_model_acts_at_once_and_gets_no_hint() -> None:
    session = session_with()
    assert newest(session).purpose is Purpose.ACT
    assert system_of(newest(session)) == "You are a helpful assistant."


def test_inline_planning_is_a_hint_to_a_model_that_has_tools() -> None:
    session = session_with(planning="inline")
    assert newest(session).purpose is Purpose.PLAN
    assert "how you will proceed" in system_of(newest(session))
    assert orjson.loads(newest(session).tools) == ["sql_query", "current_time"]


def test_explicit_planning_is_a_generation_without_tools_whose_plan_is_read_afterwards() -> None:
    session = session_with(planning="explicit")
    plan = newest(session)
    assert (plan.purpose, plan.tools) == (Purpose.PLAN, "[]")
    assert "sql_query, current_time" in system_of(plan)
    session.answer(plan, "1. Count the orders.")
    assert actions(session.decisions[-1]) == ["generation_completed", "plan", "generation_requested"]
    act = newest(session)
    assert (act.purpose, act.generation_index) == (Purpose.ACT, 1)
    assert orjson.loads(act.tools) == ["sql_query", "current_time"]
    assert "1. Count the orders." in system_of(act)
    assert [message["role"] for message in orjson.loads(act.messages)] == ["system", "user"]
    session.answer(act, "Three.")
    assert told(session) == [("message", "How many?"), ("plan", "1. Count the orders."), ("answer", "Three.")]


def test_a_plan_lives_as_long_as_its_run() -> None:
    session = session_with(planning="explicit")
    session.answer(newest(session), "1. Count the orders.")
    session.answer(newest(session), "Three.")
    session.say("And now?")
    assert "Count the orders" not in newest(session).messages


def test_reflection_on_error_looks_back_at_a_failed_tool_only() -> None:
    session = session_with(reflection="on_error")
    session.answer(newest(session), "", [SELECT])
    session.result(session.calls()[-1], 3)
    assert newest(session).purpose is Purpose.ACT
    session.answer(newest(session), "", [SELECT, SELECT])
    one, two = session.calls()[-2:]
    session.result(one, "no such table", ToolOutcome.FAILED)
    session.result(two, 3)
    looking = newest(session)
    assert (looking.purpose, looking.tools) == (Purpose.REFLECT, "[]")
    session.answer(looking, "The table is called orders.")
    assert actions(session.decisions[-1]) == ["generation_completed", "reflection", "generation_requested"]
    assert newest(session).purpose is Purpose.ACT
    assert "The table is called orders." in system_of(newest(session))
    session.answer(newest(session), "", [SELECT])
    session.result(session.calls()[-1], 3)
    assert newest(session).purpose is Purpose.ACT


def test_reflection_on_error_counts_calls_that_were_refused_or_denied() -> None:
    session = session_with(reflection="on_error")
    session.answer(newest(session), "", [("no_such_tool", {})])
    assert newest(session).purpose is Purpose.REFLECT


def test_reflection_each_looks_back_after_every_batch_and_keeps_the_newest_notes() -> None:
    session = session_with(reflection="each")
    for number in range(5):
        session.answer(newest(session), "", [SELECT])
        session.result(session.calls()[-1], number)
        assert newest(session).purpose is Purpose.REFLECT
        session.answer(newest(session), f"Note {number}.")
    noted = system_of(newest(session))
    assert [f"Note {number}." in noted for number in range(5)] == [False, False, True, True, True]
    assert [text for stage, text in told(session) if stage == "reflection"] == [
        f"Note {number}." for number in range(5)
    ]


def test_a_final_reflection_checks_the_draft_and_the_answer_follows() -> None:
    session = session_with(reflection="final")
    session.answer(newest(session), "", [SELECT])
    session.result(session.calls()[-1], 3)
    session.answer(newest(session), "Two.")
    assert actions(session.decisions[-1]) == ["generation_completed", "thought", "generation_requested"]
    check = newest(session)
    assert (check.purpose, check.tools) == (Purpose.REFLECT, "[]")
    assert "Your draft of the answer:\nTwo." in system_of(check)
    session.answer(check, "The tool said three.")
    final = newest(session)
    assert (final.purpose, final.tools) == (Purpose.ACT, "[]")
    assert "The tool said three." in system_of(final)
    run = ended(session.answer(final, "Three.", [SELECT]))
    assert (run.status, run.stop_reason, run.output) == (
        RunStatus.COMPLETED,
        StopReason.ANSWERED,
        "Three.",
    )
    assert [stage for stage, _ in told(session)][-3:] == ["draft", "reflection", "answer"]


@pytest.mark.parametrize("how", ["fails", "hangs"])
def test_a_draft_that_cannot_be_checked_is_the_answer(how: str) -> None:
    session = session_with(reflection="final")
    session.answer(newest(session), "Three.")
    check = newest(session)
    published = (
        session.answer(check, error_code="model_unavailable")
        if how == "fails"
        else session.fire_step(check.id)
    )
    run = ended(published)
    assert (run.output, run.stop_reason) == ("Three.", StopReason.ANSWERED)


def test_a_draft_that_no_budget_is_left_for_is_the_answer_and_the_reason_says_so() -> None:
    for generations in (1, 2):
        session = session_with(reflection="final", last_answer=True, limits={"generations": generations})
        published = session.answer(newest(session), "Three.")
        if generations == 2:
            published = session.answer(newest(session), "It is good.")
        run = ended(published)
        assert (run.status, run.output) == (RunStatus.COMPLETED, "Three.")
        assert run.stop_reason is StopReason.BUDGET_GENERATIONS
        assert len(session.requests()) == generations


def test_what_came_before_a_draft_is_shortened_like_older_steps() -> None:
    session = session_with(reflection="final")
    for _ in range(2):
        session.answer(newest(session), "so " * 200, [SELECT])
        session.result(session.calls()[-1], "x" * 700)
    assert sum(message.size for message in session.context.messages) > 2 * session.rules.max_run_bytes
    session.answer(newest(session), "Three.")
    assert "context_summarized" in actions(session.decisions[-1])
    assert sum(message.size for message in session.context.messages) < 2 * session.rules.max_run_bytes


def test_long_notes_are_cut_and_a_draft_is_not() -> None:
    session = session_with(planning="explicit", reflection="final")
    session.rules = type(session.rules)(default_agent_id="analyst", max_note_bytes=200)
    session.answer(newest(session), "plan " * 100)
    assert "[cut: 500 characters in all]" in system_of(newest(session))
    session.answer(newest(session), "draft " * 100)
    assert "draft " * 100 in system_of(newest(session))


def test_the_feed_tells_what_the_model_is_asked_for() -> None:
    session = session_with(planning="explicit", reflection="final")
    for text in ("A plan.", "A draft.", "It is good.", "Three."):
        session.answer(newest(session), text)
    shown = [orjson.loads(stage.data) for logs in session.decisions for stage in stages(logs)]
    assert [stage["purpose"] for stage in shown if stage["stage"] == "generation_requested"] == [
        "plan",
        "act",
        "reflect",
        "act",
    ]
    assert [(stage["stage"], stage.get("text")) for stage in shown if "text" in stage] == [
        ("plan", "A plan."),
        ("thought", "A draft."),
        ("reflection", "It is good."),
    ]
