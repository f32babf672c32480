"""A session's life: active, idle, expired, resumed; archived; erased."""

import orjson
import pytest
from hypothesis import given, settings

from schemas.lists import Action, CommandKind, RunStatus, SessionStatus, StopReason
from schemas.records import Run, Session, Task
from streams.session.context import Context, to_bytes
from streams.session.project import project
from streams.session.rules import Rules
from streams.session.timers import Timer, life_timer, lifetime_s, timers_of
from tests.unit.streams.session.simulated import TIGHT, Simulated, agent
from tests.unit.streams.session.test_core_properties import HISTORIES, Move, walk
from tests.unit.streams.session.test_core_stories import actions, only

GRACE_S = 60


def answered(rules: Rules = TIGHT, *, ttl_seconds: int | None = None) -> Simulated:
    session = Simulated(rules=rules, agents={"analyst": agent(planning="none", ttl_seconds=ttl_seconds)})
    session.say("How many?")
    session.answer(session.requests()[-1], "Three.")
    return session


def lifetime(before: Context, after: Context, *, now_ms: int | None = None, max_ttl_s: int = 10**9) -> int:
    at_ms = after.updated_at_ms if now_ms is None else now_ms
    return lifetime_s(before, after, now_ms=at_ms, grace_s=GRACE_S, max_ttl_s=max_ttl_s)


def life(session: Simulated) -> Timer:
    timer = life_timer(session.context)
    assert timer is not None
    return timer


def test_a_session_left_alone_goes_idle_then_expires_and_a_message_resumes_it() -> None:
    session = answered()
    ended_ms = session.context.last_activity_ms
    assert life(session).due_ms == ended_ms + TIGHT.idle_s * 1000
    recorded = only(Session, session.lapse())
    assert actions(session.decisions[-1]) == ["session_idle"]
    assert (recorded.status, session.context.last_activity_ms) == (SessionStatus.IDLE, ended_ms)
    assert orjson.loads(recorded.timers) == [
        {"key": "expiry", "kind": "expiry", "due_ms": ended_ms + TIGHT.ttl_s * 1000}
    ]
    recorded = only(Session, session.lapse())
    assert actions(session.decisions[-1]) == ["session_expired"]
    assert (recorded.status, recorded.timers) == (SessionStatus.EXPIRED, "[]")
    assert timers_of(session.context) == {}
    recorded = only(Session, session.say("And now?"))
    assert actions(session.decisions[-1])[:2] == ["session_resumed", "message_received"]
    assert recorded.status is SessionStatus.ACTIVE
    assert "Three." in session.requests()[-1].messages


def test_a_message_to_an_idle_session_makes_it_active_again() -> None:
    session = answered()
    session.lapse()
    session.say("And now?")
    assert actions(session.decisions[-1])[0] == "session_resumed"
    assert session.context.status is SessionStatus.ACTIVE


def test_a_session_with_an_open_run_is_neither_idle_nor_expires() -> None:
    session = answered()
    timer = life(session)
    session.say("And now?")
    assert life_timer(session.context) is None
    assert set(timers_of(session.context)) == {session.requests()[-1].id}
    before = to_bytes(session.context)
    session.fire_life(timer)
    assert to_bytes(session.context) == before


def test_a_timer_of_an_earlier_moment_changes_nothing() -> None:
    session = answered()
    timer = life(session)
    session.command(CommandKind.CONFIGURE, payload='{"title":"new"}')
    assert life(session).due_ms > timer.due_ms
    before = to_bytes(session.context)
    session.fire_life(timer)
    assert to_bytes(session.context) == before
    session.lapse()
    assert session.context.status is SessionStatus.IDLE


def test_a_message_that_comes_before_its_overdue_expiry_was_decided_says_that_it_expired() -> None:
    session = answered(ttl_seconds=60)
    session.wait(61)
    session.say("And now?")
    assert actions(session.decisions[-1])[:3] == ["session_expired", "session_resumed", "message_received"]
    assert session.context.status is SessionStatus.ACTIVE


@pytest.mark.parametrize("wished", [None, 60, 5_000])
def test_an_agent_may_set_the_time_to_live_up_to_the_maximum(wished: int | None) -> None:
    rules = Rules(default_agent_id="analyst", ttl_s=600, max_ttl_s=1_000)
    session = answered(rules, ttl_seconds=wished)
    assert session.context.ttl_s == min(wished or 600, 1_000)
    session.command(CommandKind.CONFIGURE, payload='{"ttl_seconds":2000}')
    assert session.context.ttl_s == 1_000


def test_where_idle_is_off_or_later_than_the_expiry_a_session_expires_at_once() -> None:
    for idle_s in (0, 600, 700):
        session = answered(Rules(default_agent_id="analyst", ttl_s=600, idle_s=idle_s))
        session.lapse()
        assert session.context.status is SessionStatus.EXPIRED


def test_a_changed_limit_of_idleness_takes_hold_when_the_session_is_used_again() -> None:
    session = answered()
    session.lapse()
    session.rules = Rules(default_agent_id="analyst", idle_s=5)
    session.say("And now?")
    assert session.context.idle_s == 5


def test_an_archived_session_refuses_messages_until_it_is_unarchived() -> None:
    session = answered()
    session.command(CommandKind.ARCHIVE)
    run = only(Run, session.say("And now?"))
    assert (run.status, run.stop_reason) == (RunStatus.REJECTED, StopReason.ARCHIVED)
    session.lapse()
    session.lapse()
    assert session.context.status is SessionStatus.EXPIRED
    session.command(CommandKind.UNARCHIVE)
    session.say("And now?")
    assert session.context.run is not None


def test_redis_keeps_a_context_for_its_time_and_the_grace_and_an_expired_one_for_the_grace() -> None:
    session = answered(ttl_seconds=2_000)
    active = session.context
    assert lifetime(Context(session_id="s"), active) == 2_000 + GRACE_S
    assert lifetime(Context(session_id="s"), active, max_ttl_s=100) == 100 + GRACE_S
    session.lapse()
    assert lifetime(active, session.context) == 2_000 - TIGHT.idle_s + GRACE_S
    idle = session.context
    session.lapse()
    assert lifetime(idle, session.context) == GRACE_S


def test_what_is_no_activity_does_not_renew_the_time() -> None:
    session = answered(ttl_seconds=100)
    before = session.context
    session.wait(40)
    session.command(CommandKind.CANCEL)
    assert session.context.last_activity_ms == before.last_activity_ms
    assert lifetime(before, session.context) == 60 + GRACE_S
    late_ms = session.context.last_activity_ms + 10**9
    assert lifetime(session.context, session.context, now_ms=late_ms) == GRACE_S


def test_a_context_outlives_the_deadlines_of_its_open_run() -> None:
    session = answered(ttl_seconds=10)
    before = session.context
    session.say("And now?")
    assert lifetime(before, session.context) == 300 + GRACE_S


def test_erasing_ends_open_runs_and_leaves_a_stub_without_what_was_said() -> None:
    session = answered()
    session.say("My secret is 7.")
    session.say("Still there?")
    published = session.command(CommandKind.ERASE)
    assert actions(session.decisions[-1]) == ["run_cancelled", "run_cancelled", "session_erased"]
    runs = [record for record in published if isinstance(record, Run)]
    assert [(run.status, run.stop_reason, run.input) for run in runs] == [
        (RunStatus.CANCELLED, StopReason.ERASED, "")
    ] * 2
    assert not [record for record in published if isinstance(record, Session | Task)]
    stub = session.context
    assert stub.erased
    assert stub.sequence == session.decisions[-1].entries[-1].sequence
    assert stub.hash == session.decisions[-1].entries[-1].hash
    assert b"secret" not in to_bytes(stub)
    assert timers_of(stub) == {}
    assert lifetime(session.context, stub) == GRACE_S
    assert project(stub, session.decisions[-1], 3) == published


def test_an_erased_session_does_nothing_any_more() -> None:
    session = answered()
    session.say("Still there?")
    request = session.requests()[-1]
    session.command(CommandKind.ERASE)
    decisions = len(session.decisions)
    session.answer(request, "Yes.")
    session.say("Hello?")
    session.command(CommandKind.ERASE)
    session.command(CommandKind.CREATE)
    assert len(session.decisions) == decisions


def test_only_its_owner_erases_a_session() -> None:
    session = answered()
    session.command(CommandKind.ERASE, user_id="mallory")
    assert not session.context.erased
    assert actions(session.decisions[-1]) == ["command_ignored"]


@settings(max_examples=50)
@given(HISTORIES, HISTORIES)
def test_an_erasure_in_any_history_is_its_end_and_the_fold_of_its_logs(
    before: list[Move], after: list[Move]
) -> None:
    session = walk([*before, Move("erase", 0, 0, ""), *after])
    assert to_bytes(session.folded()) == to_bytes(session.context)
    entries = [entry for logs in session.decisions for entry in logs.entries]
    erasures = [number for number, entry in enumerate(entries) if entry.action is Action.SESSION_ERASED]
    if erasures:
        assert erasures == [len(entries) - 1]
        assert session.context.erased
