"""Bad input among good: each piece ends as a dead letter or a typed error; nothing falls over or is lost."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from schemas import ids
from schemas.agent_file import AgentFile
from schemas.lists import Action, AgentStatus, CommandKind, RunStatus, StopReason
from schemas.partition import partition_of
from schemas.records import Agent, Run, SessionCommand
from schemas.topics import MAX_VALUE_BYTES, SESSION_COMMANDS, USER_MESSAGES
from tests.e2e.outside.awkward import ANSWERED, REFUSED, Answered, Refused
from tests.fleet.outside import Outside
from tests.fleet.runs import sink_is_level
from tests.fleet.traffic import Traffic
from tests.fleet.unreadable import ELSEWHERE, MESSAGES, Unreadable

LIMIT_S = 20.0
NOW = datetime.now(UTC)
MISFIT = Agent(id="misfit", name="misfit", configuration='{"modle": 1}', created_at=NOW, updated_at=NOW)
AGENTS = (
    AgentFile(id="retired", status=AgentStatus.RETIRED).record(user_id=None, now=NOW),
    AgentFile(id="private").record(user_id="somebody else", now=NOW),
    AgentFile(id="lost", model="rehearsal:lost").record(user_id=None, now=NOW),
    MISFIT,
)


@pytest.fixture(scope="module", autouse=True)
async def traffic(outside: Outside) -> AsyncIterator[Traffic]:
    """Everyday messages all the while."""
    for agent in AGENTS:
        await outside.fleet.publish(agent)
    running = Traffic(outside.fleet)
    running.start()
    yield running
    await running.stop()


@pytest.fixture(scope="module", autouse=True)
def restarts(outside: Outside) -> dict[str, int]:
    """How often each process was started again before the first bad input: other tests kill some."""
    return restarts_of(outside)


def restarts_of(outside: Outside) -> dict[str, int]:
    return {status.name: status.restarts for status in outside.fleet.supervisor.statuses()}


async def ended(outside: Outside, session_id: str, **fields: Any) -> Run:
    """Send a message as plain JSON and return its terminal run."""
    message = {"session_id": session_id, "user_id": "mallory", "content": "hello", **fields}
    place = await outside.producer.send(USER_MESSAGES, orjson.dumps(message), key=session_id.encode())
    message_id = fields.get("id") or ids.event_id(USER_MESSAGES.name, place.partition, place.offset)
    await outside.runs.wait([message_id], within_s=LIMIT_S)
    return outside.runs.by_message[message_id]


def nodes(cases: tuple[Any, ...]) -> Any:
    """The table as parameters of a test, each under its name."""
    return pytest.mark.parametrize("case", cases, ids=[case.name.replace(" ", "-") for case in cases])


@nodes(MESSAGES + ELSEWHERE)
async def test_what_cannot_be_processed_is_kept_as_a_dead_letter(outside: Outside, case: Unreadable) -> None:
    key = ids.new_id().encode() if case.has_key else None
    headers = {"producer": b"mallory"}
    place = await outside.producer.send(
        case.spec, case.value, key=key, headers=headers, is_large=case.is_large
    )
    letters = await outside.letters.about(place, stages=frozenset(case.reasons), within_s=LIMIT_S)
    assert {stage: letter.reason for stage, letter in letters.items()} == dict(case.reasons)
    for letter in letters.values():
        assert (letter.partition, letter.key) == (place.partition, key)
        assert (letter.value or b"") == (case.value or b"")[:MAX_VALUE_BYTES]
        assert letter.headers["producer"] == b"mallory"
        assert len(letter.message) > 10


@nodes(REFUSED)
async def test_what_cannot_be_answered_ends_in_a_typed_error(outside: Outside, case: Refused) -> None:
    run = await ended(outside, ids.new_id(), **case.fields)
    assert (run.status, run.stop_reason, run.error_code) == (case.status, case.stop_reason, case.code)
    assert case.says in (run.error_message or "")


@nodes(ANSWERED)
async def test_what_only_looks_bad_is_answered(outside: Outside, case: Answered) -> None:
    run = await ended(outside, ids.new_id(), **case.fields)
    assert (run.status, run.error_message) == (RunStatus.COMPLETED, None)
    assert case.says in (run.output or "")
    await sink_is_level(outside.fleet, within_s=LIMIT_S)
    fetch = outside.fleet.database.fetch
    failed = await fetch(
        "select payload->>'outcome' as outcome from task_logs where run_id = $1 and action = $2",
        run.id,
        Action.TOOL_FAILED.value,
    )
    assert tuple(row["outcome"] for row in failed) == case.outcomes
    kept = await fetch("select role from messages where run_id = $1 and role = 'user'", run.id)
    assert len(kept) == 1


async def test_a_stranger_in_a_session_is_refused_and_the_owner_answered(outside: Outside) -> None:
    session_id = ids.new_id()
    assert (await ended(outside, session_id)).status is RunStatus.COMPLETED
    run = await ended(outside, session_id, user_id="stranger")
    assert (run.status, run.error_code) == (RunStatus.REJECTED, StopReason.WRONG_OWNER)
    assert "a session of your own" in (run.error_message or "")
    assert (await ended(outside, session_id)).status is RunStatus.COMPLETED


async def test_a_rejected_first_message_does_not_spoil_the_session(outside: Outside) -> None:
    session_id = ids.new_id()
    assert (await ended(outside, session_id, agent_id="nobody")).status is RunStatus.REJECTED
    assert (await ended(outside, session_id)).status is RunStatus.COMPLETED


async def test_a_repeated_message_id_is_one_run(outside: Outside) -> None:
    session_id, message_id = ids.new_id(), ids.new_id()
    first = await ended(outside, session_id, id=message_id)
    for _ in range(2):
        await ended(outside, session_id, id=message_id, content="something else")
    assert (await ended(outside, session_id)).status is RunStatus.COMPLETED
    await sink_is_level(outside.fleet, within_s=LIMIT_S)
    rows = await outside.fleet.database.fetch(
        "select id, input from runs where session_id = $1 and message_id = $2", session_id, message_id
    )
    assert [(str(row["id"]), row["input"]) for row in rows] == [(first.id, "hello")]


async def test_a_command_for_an_unknown_run_is_logged_as_ignored(outside: Outside) -> None:
    session_id = ids.new_id()
    await ended(outside, session_id)
    for user_id in ("mallory", "stranger"):
        await outside.fleet.publish(
            SessionCommand(
                session_id=session_id, user_id=user_id, kind=CommandKind.CANCEL, run_id=ids.new_id()
            )
        )
    assert (await ended(outside, session_id)).status is RunStatus.COMPLETED
    await sink_is_level(outside.fleet, within_s=LIMIT_S)
    rows = await outside.fleet.database.fetch(
        "select payload from task_logs where session_id = $1 and action = $2",
        session_id,
        Action.COMMAND_IGNORED.value,
    )
    assert len(rows) == 2


async def test_a_command_for_an_unknown_session_is_kept_as_a_dead_letter(outside: Outside) -> None:
    session_id = ids.new_id()
    command = {"session_id": session_id, "user_id": "mallory", "kind": "cancel", "run_id": ids.new_id()}
    place = await outside.producer.send(
        SESSION_COMMANDS,
        orjson.dumps(command),
        key=session_id.encode(),
        partition=partition_of(session_id, outside.fleet.topics.partitions),
    )
    letters = await outside.letters.about(place, stages=frozenset(["session"]), within_s=LIMIT_S)
    assert "does not exist" in letters["session"].message
    assert (await ended(outside, session_id)).status is RunStatus.COMPLETED


async def test_the_good_messages_were_answered_and_nothing_fell_over(
    outside: Outside, traffic: Traffic, restarts: dict[str, int]
) -> None:
    fleet = outside.fleet
    await traffic.stop()
    await outside.runs.wait(traffic.sent, within_s=LIMIT_S)
    good = {outside.runs.by_message[message_id].id for message_id in traffic.sent}
    assert {outside.runs.ended[run_id].status for run_id in good} == {RunStatus.COMPLETED}
    await sink_is_level(fleet, within_s=LIMIT_S)
    rows = await fleet.database.fetch("select id, status from runs")
    in_record = {str(row["id"]): row["status"] for row in rows}
    # The last message may have been cut off before its acknowledgement: its run is nobody's to wait for.
    await outside.runs.wait_for(len(in_record), within_s=LIMIT_S)
    on_topic = {run.id: run.status.value for run in outside.runs.ended.values()}
    assert in_record == on_topic
    assert restarts_of(outside) == restarts
