"""A rebuild from a checkpoint gives the same bytes as one from the beginning."""

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from schemas.lists import Action
from schemas.topics import MAX_VALUE_BYTES
from streams.session import checkpoint
from streams.session.context import FORMAT, to_bytes
from streams.session.log import fold, verify_chain
from streams.session.rules import Rules
from tests.unit.streams.session.simulated import SESSION, Simulated, agent
from tests.unit.streams.session.test_core_properties import HISTORIES, Move, walk

EVERY = 9


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "CHECKPOINT_LOGS", EVERY)


def starts(session: Simulated) -> list[int]:
    """Which decisions begin with a checkpoint."""
    return [
        number for number, logs in enumerate(session.decisions) if logs.entries[0].action is Action.CHECKPOINT
    ]


@pytest.mark.usefixtures("_often")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(HISTORIES)
def test_the_fold_from_any_checkpoint_is_the_fold_of_all_to_the_byte(moves: list[Move]) -> None:
    session = walk(moves)
    whole = to_bytes(session.context)
    assert to_bytes(session.folded()) == whole
    assert verify_chain(session.decisions) is None
    for start in starts(session):
        assert to_bytes(fold(SESSION, session.decisions[start:])) == whole
    gaps = [logs for number, logs in enumerate(session.decisions) if number not in starts(session)]
    assert all(entry.action is not Action.CHECKPOINT for logs in gaps for entry in logs.entries)


def a_long_session(*, runs: int) -> Simulated:
    session = Simulated(agents={"analyst": agent(planning="none")})
    for number in range(runs):
        session.say(f"Question {number}")
        session.answer(session.requests()[-1], f"Answer {number}")
    return session


def test_a_checkpoint_comes_every_two_hundred_entries_and_first_in_its_decision() -> None:
    session = a_long_session(runs=90)
    places = [session.decisions[start].entries[0].sequence for start in starts(session)]
    assert len(places) == session.context.sequence // checkpoint.CHECKPOINT_LOGS
    for before, after in zip([1, *places], places, strict=False):
        assert checkpoint.CHECKPOINT_LOGS - 8 < after - before <= checkpoint.CHECKPOINT_LOGS
    assert all(len(session.decisions[start].entries) > 1 for start in starts(session))


@pytest.mark.usefixtures("_often")
def test_a_checkpoint_of_another_format_changes_nothing() -> None:
    session = a_long_session(runs=6)
    [*_, start] = starts(session)
    logs = session.decisions[start]
    foreign = orjson.dumps({"format": FORMAT + 1, "context": {"of": "another shape"}}).decode()
    first = logs.entries[0].model_copy(update={"payload": foreign})
    decisions = [*session.decisions]
    decisions[start] = logs.model_copy(update={"entries": (first, *logs.entries[1:])})
    assert to_bytes(fold(SESSION, decisions)) == to_bytes(session.context)


@pytest.mark.usefixtures("_often")
def test_a_checkpoint_waits_until_it_fits_one_message_with_its_decision() -> None:
    rules = Rules(default_agent_id="analyst")
    session = Simulated(rules=rules, agents={"analyst": agent()})
    text = "\u001f" * (rules.max_content_bytes // 6 - 100)
    for _ in range(3):
        session.say(text)
    for _ in range(4):
        calls = [("sql_query", {"query": "\u001f" * 18_000})]
        session.answer(session.requests()[-1], "", calls)
        session.result(session.calls()[-1], "\u001f" * 90_000)
    assert len(to_bytes(session.context)) > MAX_VALUE_BYTES
    assert session.context.since_checkpoint >= EVERY
    while session.context.run is not None:
        session.answer(session.requests()[-1], "Done.")
    session.say("Short.")
    assert session.context.since_checkpoint < EVERY
