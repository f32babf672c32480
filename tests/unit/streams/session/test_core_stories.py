"""The straight path and its side roads, one story each."""

from hashlib import sha256
from typing import TypeVar

import orjson
import pytest

from schemas import ids
from schemas.errors import PoisonError
from schemas.lists import Action, BusyPolicy, CommandKind, Purpose, Role, RunStatus, StopReason
from schemas.records import (
    ConversationMessage,
    GenerationRequest,
    Record,
    Run,
    Session,
    Task,
    TaskLogs,
)
from streams.session import outbox
from streams.session.context import FORMAT, from_bytes, to_bytes
from streams.session.event import micros_of, ms_of, time_of
from streams.session.evolve import FOLDS
from streams.session.feed import stages
from streams.session.log import verify_chain
from streams.session.payload_text import PAYLOADS
from tests.unit.streams.session.simulated import SESSION, START, Simulated, agent

RecordT = TypeVar("RecordT", bound=Record)

SELECT = ("sql_query", {"query": "select 1"})


def actions(logs: TaskLogs) -> list[str]:
    return [entry.action.value for entry in logs.entries]


def only(kind: type[RecordT], records: tuple[Record, ...]) -> RecordT:
    (found,) = [record for record in records if isinstance(record, kind)]
    return found


def test_a_question_is_planned_looked_up_and_answered() -> None:
    session = Simulated()
    session.say("How many?")
    assert actions(session.decisions[-1]) == [
        "session_created",
        "message_received",
        "run_started",
        "generation_requested",
    ]
    first = session.requests()[-1]
    assert (first.generation_index, first.purpose) == (0, Purpose.PLAN)
    session.answer(first, "I will count.", [SELECT, ("current_time", {})])
    assert actions(session.decisions[-1]) == ["generation_completed", "plan", "tool_called", "tool_called"]
    sql, clock = session.calls()
    assert session.result(clock, "noon")[-1:] != ()
    assert len(session.requests()) == 1
    session.result(sql, [{"n": 3}])
    assert actions(session.decisions[-1]) == ["tool_succeeded", "observation", "generation_requested"]
    second = session.requests()[-1]
    chat = orjson.loads(second.messages)
    assert [message["role"] for message in chat] == ["system", "user", "assistant", "tool", "tool"]
    assert [message["tool_call_id"] for message in chat[3:]] == [sql.id, clock.id]
    assert [message["content"] for message in chat[3:]] == ['[{"n":3}]', "noon"]
    published = session.answer(second, "Three.")
    run = only(Run, published)
    assert (run.status, run.stop_reason, run.output, run.sql_query) == (
        RunStatus.COMPLETED,
        StopReason.ANSWERED,
        "Three.",
        "select 1",
    )
    assert (run.generations, run.tool_calls, run.total_tokens) == (2, 2, 30)
    told = [record for record in session.outputs if isinstance(record, ConversationMessage)]
    assert [orjson.loads(message.metadata or "{}")["stage"] for message in told] == [
        "message",
        "plan",
        "tool_result",
        "tool_result",
        "observation",
        "answer",
    ]
    assert orjson.loads(told[0].metadata or "{}")["from"] == "test"
    assert (told[-1].role, told[-1].sql_query) == (Role.ASSISTANT, "select 1")


def test_what_is_said_after_tools_is_a_reflection_and_silence_a_thought() -> None:
    session = Simulated()
    session.say("Go")
    for text in ("", "Hm."):
        session.answer(session.requests()[-1], text, [SELECT])
        session.result(session.calls()[-1])
    logged = [action for logs in session.decisions for action in actions(logs)]
    assert [action for action in logged if action in {"plan", "thought", "reflection"}] == [
        "thought",
        "reflection",
    ]


def test_a_tool_that_the_agent_does_not_have_is_never_called() -> None:
    session = Simulated()
    session.say("Go")
    published = session.answer(session.requests()[-1], "", [("rm_rf", {})])
    assert not session.calls()
    asked = only(GenerationRequest, published)
    assert "there is no tool rm_rf" in asked.messages


def test_the_budget_of_generations_ends_the_run() -> None:
    session = Simulated()
    published = session.say("Go")
    for _ in range(4):
        session.answer(session.requests()[-1], "", [SELECT])
        published = session.result(session.calls()[-1])
    assert "budget_exceeded" in actions(session.decisions[-1])
    run = only(Run, published)
    assert (run.status, run.stop_reason) == (RunStatus.FAILED, StopReason.BUDGET_GENERATIONS)
    assert len(session.requests()) == 4


@pytest.mark.parametrize(
    ("raw_calls", "text"), [('{"a":1}', ""), ('[{"name":""}]', ""), ("[]", "  "), ('[{"name":"a\\nb"}]', "")]
)
def test_nonsense_of_a_model_is_a_typed_failure(raw_calls: str, text: str) -> None:
    session = Simulated()
    session.say("Go")
    run = only(Run, session.answer(session.requests()[-1], text, raw_calls=raw_calls))
    assert (run.stop_reason, run.error_code) == (StopReason.MODEL_ERROR, "model_nonsense")


def test_a_passed_deadline_ends_the_run_and_its_late_result_is_logged_once() -> None:
    session = Simulated()
    session.say("Go")
    session.answer(session.requests()[-1], "", [SELECT])
    call = session.calls()[-1]
    assert session.fire(call.id, START) == ()
    run = only(Run, session.fire(call.id, call.deadline_at))
    assert run.stop_reason is StopReason.DEADLINE
    session.result(call)
    assert actions(session.decisions[-1]) == ["result_ignored"]
    count = len(session.decisions)
    session.result(call)
    assert len(session.decisions) == count


def test_a_cancelled_run_makes_room_for_the_next() -> None:
    session = Simulated()
    session.say("one")
    session.say("two")
    session.say("three")
    one, two, three = [run.id for run in session.context.runs]
    session.command(CommandKind.CANCEL, run_id=two)
    published = session.command(CommandKind.CANCEL, run_id=one)
    assert {run.id: run.status for run in published if isinstance(run, Run)} == {
        one: RunStatus.CANCELLED,
        three: RunStatus.RUNNING,
    }
    session.command(CommandKind.CANCEL, run_id=one)
    assert actions(session.decisions[-1]) == ["command_ignored"]


def test_rollback_forgets_what_the_run_said() -> None:
    session = Simulated()
    session.say("one")
    published = session.say("two", on_busy=BusyPolicy.ROLLBACK)
    assert {run.stop_reason for run in published if isinstance(run, Run)} == {StopReason.ROLLED_BACK, None}
    chat = orjson.loads(session.requests()[-1].messages)
    assert [message["content"] for message in chat[1:]] == ["two"]


def test_strangers_unknown_agents_and_large_messages_are_rejected() -> None:
    session = Simulated()
    session.say("mine")
    for published, reason in (
        (session.say("yours?", user_id="mallory"), StopReason.WRONG_OWNER),
        (session.say("who?", agent_id="nobody"), StopReason.UNKNOWN_AGENT),
        (session.say("x" * 5_000), StopReason.TOO_LARGE),
        (session.say("now!", on_busy=BusyPolicy.REJECT), StopReason.BUSY),
    ):
        run = only(Run, published)
        assert (run.status, run.stop_reason, run.error_code) == (RunStatus.REJECTED, reason, reason.value)
    assert len(session.context.messages) == 1


def test_a_rejected_first_message_still_makes_the_session() -> None:
    session = Simulated(agents={})
    published = session.say("hello")
    assert actions(session.decisions[-1]) == ["session_created", "message_rejected"]
    assert only(Session, published).user_id == "alice"
    assert only(Task, published).prompt == "hello"


def test_somebody_elses_agent_is_unknown() -> None:
    session = Simulated(agents={"analyst": agent(user_id="bob")})
    assert only(Run, session.say("hello")).stop_reason is StopReason.UNKNOWN_AGENT


def test_an_archived_session_takes_no_messages() -> None:
    session = Simulated()
    session.command(CommandKind.CREATE, payload='{"title":"Sales","agent_id":"analyst"}')
    assert session.context.title == "Sales"
    session.command(CommandKind.ARCHIVE)
    assert only(Run, session.say("hello")).stop_reason is StopReason.ARCHIVED
    session.command(CommandKind.UNARCHIVE)
    assert session.context.run is None
    session.say("hello again")
    assert session.context.run is not None


def test_the_repository_of_a_session_does_not_change_and_the_log_says_so() -> None:
    session = Simulated()
    session.command(CommandKind.CREATE, payload='{"repo_url":"https://example.org/one.git"}')
    session.command(CommandKind.CONFIGURE, payload='{"title":"Two","repo_url":"https://example.org/two.git"}')
    assert actions(session.decisions[-1]) == ["command_ignored"]
    assert "repo_url" in session.decisions[-1].entries[0].payload
    session.command(CommandKind.CONFIGURE, payload='{"title":"Two"}')
    assert actions(session.decisions[-1]) == ["session_configured"]
    assert session.context.repo_url == "https://example.org/one.git"


def test_old_exchanges_become_lines_of_the_summary() -> None:
    session = Simulated()
    for number in range(8):
        session.say(f"question {number} " + "x" * 300)
        session.answer(session.requests()[-1], f"answer {number}")
    assert sum(message.size for message in session.context.messages) < 2 * session.rules.max_history_bytes
    assert "- User: question" in session.context.context_summary
    assert "answer 6" in session.requests()[-1].messages
    assert len(session.context.context_summary) <= session.rules.max_summary_bytes


def test_a_changed_log_breaks_the_chain() -> None:
    session = Simulated()
    session.say("hello")
    session.answer(session.requests()[-1], "hi")
    assert verify_chain(session.decisions) is None
    first, last = session.decisions
    forged = last.entries[-1].model_copy(update={"payload": "{}"})
    broken = last.model_copy(update={"entries": (*last.entries[:-1], forged)})
    found = verify_chain([first, broken])
    assert found is not None
    assert found.sequence == forged.sequence
    missing = verify_chain([last])
    assert missing is not None
    assert missing.sequence == 1


def test_a_hash_is_what_the_rule_says() -> None:
    session = Simulated()
    session.say("hello")
    (logs,) = session.decisions
    first, second = logs.entries[:2]
    micros = int(logs.occurred_at.timestamp()) * 1_000_000 + logs.occurred_at.microsecond
    lines = (
        first.hash,
        SESSION,
        "2",
        "message_received",
        second.run_id or "",
        "",
        "",
        "true",
        logs.cause_id,
        str(micros),
        second.payload,
    )
    assert second.hash == sha256("\n".join(lines).encode()).hexdigest()
    assert second.id == ids.log_id(SESSION, 2)


def test_foreign_bytes_are_no_context() -> None:
    with pytest.raises(PoisonError):
        from_bytes(b"{}")
    session = Simulated()
    session.say("hello")
    with pytest.raises(PoisonError, match="format 9"):
        from_bytes(to_bytes(session.context).replace(b'"format":%d' % FORMAT, b'"format":9'))


def test_the_feed_shows_the_stages_in_order_without_the_configuration() -> None:
    session = Simulated()
    session.say("Go")
    session.answer(session.requests()[-1], "Let me see.", [SELECT])
    shown = [orjson.loads(stage.data) for logs in session.decisions for stage in stages(logs)]
    assert [stage["stage"] for stage in shown] == [
        "run_started",
        "generation_requested",
        "plan",
        "tool_called",
    ]
    assert shown[2]["text"] == "Let me see."
    assert all("configuration" not in stage for stage in shown)


def test_every_action_that_is_decided_can_be_folded() -> None:
    assert set(FOLDS) == set(PAYLOADS)
    assert Action.UNKNOWN not in FOLDS


def test_instants_survive_milliseconds_exactly() -> None:
    for ms in (0, 1, 1_767_225_600_001, 4_102_444_799_999):
        assert ms_of(time_of(ms)) == ms
        assert micros_of(time_of(ms)) == ms * 1000


def test_what_is_said_about_escapes_stays_to_the_byte_when_it_is_published_again() -> None:
    session = Simulated()
    session.say(r"what does \u0000 mean in JSON?")
    logs = session.decisions[-1]
    again = outbox.from_bytes(outbox.to_bytes(logs))
    assert again == logs
    assert verify_chain([logs]) is None
