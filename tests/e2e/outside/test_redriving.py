"""Dead letters driven again by the command take effect once, and every record does no harm."""

import asyncio
import time
from typing import Any

import orjson
import pytest

from bus.deadletter import DeadLetters
from bus.message import Message
from bus.reader import Start, TopicReader
from schemas import ids
from schemas.agent_file import AgentFile
from schemas.lists import Action, DeadLetterReason, RunStatus
from schemas.records import UserMessage
from schemas.topics import ALL_TOPICS, DEAD_LETTERS, SESSION_COMMANDS, USER_MESSAGES
from tests.e2e.outside.command import maestro
from tests.fleet.effects import starts
from tests.fleet.outside import Outside
from tests.fleet.runs import sink_is_level

pytestmark = pytest.mark.timeout(180)
LIMIT_S = 40.0
CHARGER = AgentFile(id="charger", model="rehearsal:charging", tools=("charge",))
TABLES = ("task_logs", "runs", "messages", "generations", "tool_calls", "tool_results", "tasks", "sessions")
COUNTED = ("user-messages", "generation-requests", "generations", "tool-calls", "tool-results", "task-logs")


async def logged(outside: Outside, session_id: str, action: Action) -> list[str]:
    rows = await outside.fleet.database.fetch(
        "select cause_id from task_logs where session_id = $1 and action = $2", session_id, action.value
    )
    return [str(row["cause_id"]) for row in rows]


async def answered(outside: Outside, session_id: str, content: str, **fields: Any) -> str:
    """Send plain JSON without an id; return the id that it has when its run has completed."""
    message = {"session_id": session_id, "user_id": "alice", "content": content, **fields}
    place = await outside.producer.send(USER_MESSAGES, orjson.dumps(message), key=session_id.encode())
    # librdkafka's partitioner is another one: the id follows from the place where it was published.
    identity = ids.event_id(USER_MESSAGES.name, place.partition, place.offset)
    await outside.runs.wait([identity], within_s=LIMIT_S)
    assert outside.runs.by_message[identity].status is RunStatus.COMPLETED
    return identity


async def test_a_command_without_an_id_takes_effect_once_however_often_it_is_driven_again(
    outside: Outside,
) -> None:
    fleet, session_id = outside.fleet, ids.new_id()
    command = {
        "session_id": session_id,
        "user_id": "alice",
        "kind": "configure",
        "payload": {"title": "mine"},
    }
    place = await outside.producer.send(SESSION_COMMANDS, orjson.dumps(command), key=session_id.encode())
    deadline = time.monotonic() + LIMIT_S
    while True:  # a misplaced one is forwarded, and refused there
        listed = await maestro(fleet, "dlq", "list", "--json", "--limit", "1000")
        mine = [row for row in listed.rows if session_id in str(row["key"])]
        if mine:
            break
        assert time.monotonic() < deadline, f"no dead letter: {listed.stderr}"
        await asyncio.sleep(0.2)
    [letter] = mine
    assert (letter["state"], letter["reason"], letter["redrives"]) == ("open", "invalid", 0)

    await answered(outside, session_id, "hello")
    for times in (1, 2):
        done = await maestro(fleet, "dlq", "redrive", letter["place"], "--json")
        assert (done.code, done.row["outcome"], done.row["redriven"]) == (0, "redriven", times), done.stderr
    await answered(outside, session_id, "hello again")
    await sink_is_level(fleet, within_s=LIMIT_S)
    first = ids.event_id(SESSION_COMMANDS.name, place.partition, place.offset)
    assert await logged(outside, session_id, Action.SESSION_CONFIGURED) == [first]

    given_up = await maestro(fleet, "dlq", "discard", letter["place"], "--note", "seen to")
    assert given_up.code == 0, given_up.stderr
    shown = (await maestro(fleet, "dlq", "show", letter["place"], "--json")).row
    assert (shown["state"], shown["redrives"], shown["value"]["session_id"]) == ("discarded", 2, session_id)
    deeds = [(deed["did"], deed["note"], bool(deed["by"])) for deed in shown["deeds"]]
    assert deeds == [("redriven", None, True), ("redriven", None, True), ("discarded", "seen to", True)]


async def test_every_message_of_a_session_driven_again_twice_changes_nothing(outside: Outside) -> None:
    fleet, session_id = outside.fleet, ids.new_id()
    await fleet.apply(CHARGER)
    await answered(outside, session_id, "charge me", agent_id=CHARGER.id)
    with_id = UserMessage(id=ids.new_id(), session_id=session_id, user_id="alice", content="and again")
    await fleet.publish(with_id)
    await outside.runs.wait([str(with_id.id)], within_s=LIMIT_S)
    await sink_is_level(fleet, within_s=LIMIT_S)
    before, started = await rows_of(outside, session_id), starts(outside.effects, "charge")
    assert started
    messages = await messages_of(outside, session_id)
    assert {message.topic.removeprefix(fleet.names.prefix) for message in messages} >= set(COUNTED)
    await keep(outside, messages)

    await drive_all_again(outside, len(messages))

    await answered(outside, session_id, "are you well?")
    await sink_is_level(fleet, within_s=LIMIT_S)
    after = await rows_of(outside, session_id)
    for table in TABLES[:-2]:
        assert after[table][: len(before[table])] == before[table], table
    assert len(after["runs"]) == len(before["runs"]) + 1
    assert len(after["task_logs"]) == await last_sequence(outside, session_id)
    now = starts(outside.effects, "charge")
    assert {step: now[step] for step in started} == started, "a once tool was started again"
    compared = await maestro(fleet, "replay", session_id, "--compare", "--json")
    assert (compared.code, compared.row["standing"]) == (0, "same"), compared.stdout


async def drive_all_again(outside: Outside, count: int) -> None:
    """Drive what was kept again: first without a yes, then twice in earnest."""
    fleet = outside.fleet
    reason = ("--reason", DeadLetterReason.WRONG_OWNER.value, "--limit", "1000", "--json")
    refused = await maestro(fleet, "dlq", "redrive", *reason)
    assert refused.code == 1, "many are driven again only when somebody says yes"
    for again in ((), ("--again",)):
        done = await maestro(fleet, "dlq", "redrive", *reason, "--yes", *again)
        outcomes = [(row["outcome"], row["problem"]) for row in done.rows]
        compacted = sum("newer message" in str(problem) for _, problem in outcomes)
        assert outcomes.count(("redriven", None)) + compacted == count, done.stderr
        assert outcomes.count(("redriven", None)) >= len(COUNTED)


async def rows_of(outside: Outside, session_id: str) -> dict[str, list[str]]:
    """All rows of a session as text, by table, in the order in which they were accepted."""
    found: dict[str, list[str]] = {}
    for table in TABLES:
        column = "id" if table == "sessions" else "session_id"
        order = {"task_logs": "sequence", "messages": "sequence_order", "sessions": "id"}.get(
            table, "created_at"
        )
        rows = await outside.fleet.database.fetch(
            f"select t::text as row from {table} as t where {column} = $1 order by {order}, id",  # noqa: S608
            session_id,
        )
        found[table] = [row["row"] for row in rows]
    return found


async def last_sequence(outside: Outside, session_id: str) -> int:
    [row] = await outside.fleet.database.fetch(
        "select sequence from session_heads where session_id = $1", session_id
    )
    return int(row["sequence"])


async def messages_of(outside: Outside, session_id: str) -> list[Message]:
    """Everything that any topic has of a session."""
    fleet = outside.fleet
    topics = [fleet.names.full(spec) for spec in ALL_TOPICS if spec is not DEAD_LETTERS]
    async with TopicReader(fleet.kafka, topics, start=Start.BEGINNING) as reader:
        found = [message async for message in reader.read_to_end(deadline_s=LIMIT_S)]
    return [message for message in found if message.key == session_id.encode()]


async def keep(outside: Outside, messages: list[Message]) -> None:
    """Put messages into the box of dead letters, under a reason that no worker gives."""
    box = DeadLetters(outside.fleet.publisher, outside.fleet.names)
    for message in messages:
        await box.put(
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            key=message.key,
            value=message.value,
            headers=message.headers,
            reason=DeadLetterReason.WRONG_OWNER,
            message="kept by a test",
            stage="test",
        )
