"""A fork's log: the same history under other ids, whole, with nothing left open, and able to go on."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from schemas import ids
from schemas.errors import ErrorCode, PoisonError
from schemas.lists import Action, CommandKind, StopReason, ToolOutcome
from schemas.records import ConversationMessage, LogEntry, TaskLogs
from streams.session.context import Context, empty, to_bytes
from streams.session.fork import TERM, Fork
from streams.session.log import fold, verify_chain
from streams.session.payload_text import payload_of
from streams.session.payloads import SessionForked
from streams.session.project import reissue
from tests.unit.streams.session.simulated import SESSION, Simulated, agent
from tests.unit.streams.session.test_core_properties import HISTORIES, Move, walk

NEW = "9b2f3c1e-6a57-4d0e-8f5c-2f7f0c6f1a11"
OWN = {"session_id", "hash", "forgotten"}
"""Fields in which a copy is another session than its source."""


def copied(session: Simulated, decisions: list[TaskLogs] | None = None) -> tuple[Fork, list[TaskLogs]]:
    fork = Fork(SESSION, NEW, partitions=3)
    return fork, [fork.copied(logs) for logs in (session.decisions if decisions is None else decisions)]


def as_source(context: Context, fork: Fork) -> dict[str, Any]:
    """The fields of a copy under the ids of its source, without those that differ, and the asking terms."""
    text = to_bytes(context).decode()
    for old, new in fork._ids.items():
        text = text.replace(new, old)
    return comparable(text.encode())


def comparable(data: bytes) -> dict[str, Any]:
    fields = {name: value for name, value in orjson.loads(data).items() if name not in OWN}
    for step in fields["pending"]:
        del step["term"]
    return fields


def cut_after(session: Simulated, sequence: int) -> list[TaskLogs]:
    """The decisions up to an entry, the last one cut there."""
    kept: list[TaskLogs] = []
    for logs in session.decisions:
        entries = tuple(entry for entry in logs.entries if entry.sequence <= sequence)
        if entries:
            kept.append(logs.model_copy(update={"entries": entries}))
    return kept


@given(HISTORIES)
@settings(max_examples=60)
def test_after_every_entry_a_copy_is_the_same_session_under_other_ids(moves: list[Move]) -> None:
    session = walk([move for move in moves if move.kind != "erase"])
    fork = Fork(SESSION, NEW, partitions=3)
    done: list[TaskLogs] = []
    for logs in session.decisions:
        done.append(fork.copied(logs))
        source = fold(SESSION, session.decisions[: len(done)])
        assert as_source(fork.context, fork) == comparable(to_bytes(source))
        assert fold(NEW, done) == fork.context
    assert verify_chain(done) is None
    assert [entry.sequence for logs in done for entry in logs.entries] == list(
        range(1, session.context.sequence + 1)
    )


@given(HISTORIES)
@settings(max_examples=60)
def test_a_fork_at_any_entry_leaves_nothing_open_and_says_what_it_is(moves: list[Move]) -> None:
    session = walk([move for move in moves if move.kind != "erase"])
    for sequence in range(1, session.context.sequence + 1, 3):
        fork, done = copied(session, cut_after(session, sequence))
        ended = list(fork.concluded(forked_by="ann", at=session.now + timedelta(days=1)))
        assert verify_chain([*done, *ended]) is None
        assert to_bytes(fold(NEW, [*done, *ended])) == to_bytes(fork.context)
        assert (fork.context.run, fork.context.queue, fork.context.pending) == (None, (), ())
        assert reissue(fork.context) == ()
        assert not fork.context.ended, "a rebuild would tell of runs that ended elsewhere"
        last: LogEntry = ended[-1].entries[-1]
        told = payload_of(last.action, last.payload)
        source = next(e for logs in session.decisions for e in logs.entries if e.sequence == sequence)
        assert told == SessionForked(session_id=SESSION, sequence=sequence, hash=source.hash, forked_by="ann")
        assert {logs.term for logs in [*done, *ended]} == {TERM}
        assert {logs.user_id for logs in [*done, *ended]} == {session.context.user_id}


def busy() -> Simulated:
    """A session whose second run waits for a tool, with a third message behind it."""
    session = Simulated(agents={"analyst": agent(approvals={"current_time": "always"})})
    session.say("one")
    session.answer(session.requests()[-1], "first")
    session.say("two")
    session.answer(session.requests()[-1], "let me look", [("sql_query", {"query": "select 1"})])
    session.say("three")
    return session


def test_ids_follow_from_the_new_session_as_if_all_had_been_said_there() -> None:
    session = busy()
    fork, done = copied(session)
    runs = [entry.run_id for logs in done for entry in logs.entries if entry.action is Action.RUN_STARTED]
    messages = [logs.cause_id for logs in session.decisions if logs.entries[0].run_id or len(runs) == 0]
    assert runs[0] == ids.run_id(NEW, session.decisions[0].cause_id)
    assert messages
    assert fork.context.run is not None
    generation = ids.generation_id(fork.context.run.id, 0)
    assert [step.step_id for step in fork.context.pending] == [ids.tool_call_id(generation, 0)]
    old = {entry.run_id for logs in session.decisions for entry in logs.entries if entry.run_id}
    assert not old & {entry.run_id for logs in done for entry in logs.entries}


def test_what_was_open_is_cancelled_with_a_reason_and_counts_no_more_time() -> None:
    session = busy()
    fork, done = copied(session)
    cut, _said = fork.concluded(forked_by="ann", at=session.now + timedelta(days=9))
    assert [entry.action for entry in cut.entries] == [Action.RUN_CANCELLED] * 2
    assert all(StopReason.INTERRUPTED.value in entry.payload for entry in cut.entries)
    assert all(SESSION in entry.payload for entry in cut.entries)
    assert fork.context.spent_ms < 10_000
    assert len(done) == len(session.decisions)


def test_a_repeated_call_is_copied_under_the_id_that_follows_from_the_new_one() -> None:
    session = busy()
    session.result(session.calls()[-1], outcome=ToolOutcome.OUTCOME_UNKNOWN)
    session.command(CommandKind.APPROVE, step_id=session.asked()[-1])
    fork, _ = copied(session)
    assert fork.context.run is not None
    first = ids.tool_call_id(ids.generation_id(fork.context.run.id, 0), 0)
    assert [(step.step_id, step.call_id) for step in fork.context.pending] == [
        (ids.repeated_call_id(first), first)
    ]


def test_the_conversation_is_told_once_more_and_nothing_that_works_or_waits() -> None:
    session = busy()
    fork = Fork(SESSION, NEW, partitions=3)
    told = [message for logs in session.decisions for message in fork.messages(fork.copied(logs))]
    source = [record for record in session.outputs if isinstance(record, ConversationMessage)]
    assert [(each.role, each.content, each.sequence_order, each.sequence) for each in told] == [
        (each.role, each.content, each.sequence_order, each.sequence) for each in source
    ]
    assert {each.session_id for each in told} == {NEW}
    assert not {each.id for each in told} & {each.id for each in source}


def test_a_long_log_keeps_its_checkpoints_with_the_copys_own_context() -> None:
    session = Simulated()
    for number in range(60):
        session.say(f"number {number}")
        session.answer(session.requests()[-1], f"answer {number}")
    fork, done = copied(session)
    at = [number for number, logs in enumerate(done) if logs.entries[0].action is Action.CHECKPOINT]
    assert at
    assert to_bytes(fold(NEW, done[at[-1] :])) == to_bytes(fork.context)
    assert SESSION not in done[at[-1]].entries[0].payload


def test_nothing_and_what_was_erased_cannot_be_forked() -> None:
    with pytest.raises(PoisonError, match="nothing to fork"):
        Fork(SESSION, NEW, partitions=3).concluded(forked_by="ann", at=Simulated().now)
    session = busy()
    session.command(CommandKind.ERASE)
    with pytest.raises(PoisonError) as refused:
        copied(session)
    assert refused.value.code is ErrorCode.ERASED
    assert empty(NEW).is_new
