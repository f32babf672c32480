"""Deciding a recorded log once more: the same from the same events, and every change is found and named."""

from random import Random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import ids
from schemas.agent_file import Approval
from schemas.lists import Action, BusyPolicy, CommandKind
from schemas.records import TaskLogs, TimerFired, UserMessage
from streams.session.context import Context, empty
from streams.session.decide import agent_wanted
from streams.session.log import fold
from streams.session.redecide import (
    Difference,
    context_difference,
    difference,
    event_of,
    first_difference,
    first_path,
)
from streams.session.replayed import agent_of, message_of, timer_of
from streams.session.rules import Rules
from tests.unit.streams.session.simulated import SESSION, TIGHT, Simulated, agent
from tests.unit.streams.session.test_core_properties import HISTORIES, Move, walk


def befores(session: Simulated) -> list[tuple[Context, TaskLogs]]:
    """Each decision with the context before it."""
    contexts = [fold(SESSION, session.decisions[:number]) for number in range(len(session.decisions))]
    return list(zip(contexts, session.decisions, strict=True))


def again(session: Simulated, before: Context, logs: TaskLogs, rules: Rules = TIGHT) -> Difference | None:
    """Decide with the event and the agent that were there."""
    event = next(each for each in session.events if each.id == logs.cause_id)
    wanted = agent_wanted(before, event, rules)
    return difference(before, logs, event.record, session.agents.get(wanted or ""), rules)


@given(HISTORIES)
@settings(max_examples=60)
def test_every_decision_of_any_history_is_decided_again_to_the_same_entries(moves: list[Move]) -> None:
    session = walk(moves)
    for before, logs in befores(session):
        assert again(session, before, logs) is None


@given(HISTORIES)
@settings(max_examples=60)
def test_what_the_log_tells_of_agents_and_timers_gives_the_same_decisions(moves: list[Move]) -> None:
    session = walk(moves)
    for before, logs in befores(session):
        event = next(each for each in session.events if each.id == logs.cause_id)
        known = agent_of(before, logs, event.record, TIGHT)
        if known is not None:
            assert difference(before, logs, event.record, known.agent, TIGHT) is None
        if isinstance(event.record, TimerFired):
            assert timer_of(before, logs) == event.record


@given(HISTORIES)
@settings(max_examples=60)
def test_a_message_that_only_the_log_remembers_is_accepted_again_the_same(moves: list[Move]) -> None:
    session = walk(moves)
    for before, logs in befores(session):
        event = next(each for each in session.events if each.id == logs.cause_id)
        made = message_of(logs)
        assert (made is not None) <= isinstance(event.record, UserMessage)
        if made is None or not any(entry.action is Action.MESSAGE_RECEIVED for entry in logs.entries):
            continue
        known = agent_of(before, logs, made, TIGHT)
        assert known is not None
        assert difference(before, logs, made, known.agent, TIGHT) is None


@given(HISTORIES, st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_a_payload_that_was_changed_is_found_where_it_was_changed(moves: list[Move], random: Random) -> None:
    session = walk(moves)
    for before, logs in befores(session):
        number = random.randrange(len(logs.entries))
        payload = orjson.loads(logs.entries[number].payload)
        if not payload:
            continue
        name = random.choice(sorted(payload))
        payload[name] = "changed"
        entry = logs.entries[number].model_copy(
            update={"payload": orjson.dumps(payload).decode(), "hash": "0" * 64}
        )
        entries = (*logs.entries[:number], entry, *logs.entries[number + 1 :])
        found = again(session, before, logs.model_copy(update={"entries": entries}))
        assert found is not None
        assert (found.sequence, found.field, found.recorded) == (entry.sequence, f"payload.{name}", "changed")


def test_an_entry_more_and_an_entry_less_are_named() -> None:
    session = Simulated()
    session.say("hello")
    entries = session.decisions[0].entries
    last = entries[-1]
    assert first_difference(entries, entries[:-1]) == Difference(
        sequence=last.sequence, field="entry", recorded=last.action.value, decided=None
    )
    assert first_difference(entries[:-1], entries) == Difference(
        sequence=last.sequence, field="entry", recorded=None, decided=last.action.value
    )


def test_other_limits_show_as_a_difference() -> None:
    session = Simulated()
    session.say("hello " * 100)
    [(before, logs)] = befores(session)
    found = again(session, before, logs, Rules(default_agent_id="analyst", max_content_bytes=100))
    assert found is not None
    assert (found.field, found.recorded, found.decided) == ("action", "message_received", "message_rejected")


def test_a_command_tells_of_its_agent_and_a_question_of_its_timer() -> None:
    session = Simulated(agents={"analyst": agent(approvals={"sql_query": Approval.ALWAYS.value})})
    session.command(CommandKind.CREATE, payload='{"agent_id":"analyst","title":"t"}')
    session.command(CommandKind.CONFIGURE, payload='{"agent_id":"nobody"}')
    session.command(CommandKind.CONFIGURE, payload='{"agent_id":"analyst"}')
    session.command(CommandKind.CONFIGURE, payload='{"agent_id":"analyst","surprise":1}')
    session.say("hello", on_busy=BusyPolicy.REJECT)
    session.answer(session.requests()[-1], "", [("sql_query", {"query": "select 1"})])
    session.fire_step(session.asked()[-1])
    for before, logs in befores(session):
        event = next(each for each in session.events if each.id == logs.cause_id)
        known = agent_of(before, logs, event.record, TIGHT)
        assert known is not None
        assert difference(before, logs, event.record, known.agent, TIGHT) is None
    before, logs = befores(session)[-1]
    assert timer_of(before, logs) == session.events[-1].record


def test_a_message_that_was_cut_in_the_log_is_not_made_up() -> None:
    session = Simulated(rules=Rules(default_agent_id="analyst", max_content_bytes=5_000))
    session.say("x" * 6_000)
    assert message_of(session.decisions[0]) is None
    assert timer_of(empty(SESSION), session.decisions[0]) is None


def test_an_event_has_the_place_and_time_of_its_decision() -> None:
    session = Simulated()
    session.say("hello")
    [logs] = session.decisions
    assert event_of(logs, session.events[0].record) == session.events[0]
    assert logs.cause_id == ids.event_id("t", 3, 0)


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ({"a": 1}, {"a": 1}, None),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, (("a", "b", "1"), 2, 3)),
        ({"a": 1}, {}, (("a",), 1, None)),
        ([1], [1, 2], ((), [1], [1, 2])),
        ({"a": 1}, [1], ((), {"a": 1}, [1])),
    ],
)
def test_the_first_path_of_two_values_is_found(one: object, other: object, found: object) -> None:
    assert first_path(one, other) == found  # type: ignore[arg-type]


def test_contexts_are_compared_by_their_bytes() -> None:
    assert context_difference(b'{"a":1}', b'{"a":1}') is None
    assert context_difference(b'{"a":{"b":1}}', b'{"a":{"b":2}}') == ("a.b", 1, 2)
    found = context_difference(b'{"a":1,"b":2}', b'{"b":2,"a":1}')
    assert found is not None
