"""Which messages the session role takes, sends on, or gives up."""

import orjson
import pytest
from msgspec.structs import replace

from bus.redrive import FIRST_PLACE, Origin, redriven_headers
from schemas import ids
from schemas.errors import PoisonError
from schemas.lists import CommandKind, DeadLetterReason
from schemas.partition import partition_of
from schemas.records import Run, SessionCommand, UserMessage
from schemas.topics import GENERATIONS, SESSION_COMMANDS, TASK_LOGS, TOOL_RESULTS, USER_MESSAGES, TopicSpec
from streams.runtime.record import Record as Message
from streams.session.context import RECENT_EVENTS
from telemetry.tracing import parse
from tests.unit.streams.session_shell.world import World, uuid

SESSION = uuid("chat")


def raw(world: World, value: bytes | None, *, key: bytes | None = SESSION.encode()) -> Message:
    """A message as a foreign producer sends it, in the session's own partition."""
    partition = partition_of(SESSION, world.topics.partitions)
    return Message(world.topics.names.full(USER_MESSAGES), partition, 7, world.now_ms, key, value)


def says(**fields: object) -> bytes:
    return orjson.dumps({"session_id": SESSION, "user_id": "alice", "content": "hello"} | fields)


@pytest.mark.parametrize("where", range(4))
async def test_a_misplaced_message_is_forwarded_under_the_same_id_and_answered_once(where: int) -> None:
    world = World()
    home = partition_of(SESSION, world.topics.partitions)
    message_id = world.say("chat", "one", partition=where)
    await world.settle()
    world.check("chat")
    [run] = [row for row in world.record.rows.values() if isinstance(row, Run)]
    assert run.message_id == message_id
    assert len(list(world.topics.of(USER_MESSAGES))) == (1 if where == home else 2)
    assert {one.message.partition for one in world.topics.of(TASK_LOGS)} == {home}


@pytest.mark.parametrize("key", [b"", b"alice", SESSION.upper().encode()])
async def test_a_message_without_its_sessions_key_is_sent_on_under_it(key: bytes) -> None:
    world = World()
    home = partition_of(SESSION, world.topics.partitions)
    world.say("chat", "one", key=key, partition=home)
    await world.settle()
    world.check("chat")
    first, second = world.topics.of(USER_MESSAGES)
    assert (first.message.key, second.message.key) == (key or None, SESSION.encode())


async def test_a_misplaced_message_without_an_id_keeps_the_id_of_its_first_place() -> None:
    world = World()
    message = raw(world, says(), key=None)
    process = world.process()
    await process.role.step(message)
    await process.role.step(message)
    first, second = world.topics.of(USER_MESSAGES)
    identity = ids.event_id("user-messages", message.partition, message.offset)
    assert isinstance(first.record, UserMessage)
    assert first.record.id == identity
    assert first.record == second.record
    await world.settle()
    assert len([row for row in world.record.rows.values() if isinstance(row, Run)]) == 1


async def test_plain_json_without_an_id_is_answered_and_its_trace_is_kept() -> None:
    world = World()
    message = raw(world, says())
    await world.process().role.step(message)
    decided = next(logs for logs in world.record.accepted(SESSION))
    assert decided.cause_id == ids.event_id("user-messages", message.partition, message.offset)
    traces = {parse(one.message.headers) for one in world.topics.of(TASK_LOGS)}
    assert {trace.trace_id for trace in traces if trace} == {decided.trace_id}
    world.work()
    await world.settle()
    assert [row.output for row in world.record.rows.values() if isinstance(row, Run)] == ["It is 42."]


def redriven(message: Message, world: World, *, offset: int, times: int = 1) -> Message:
    """The message as it comes back when its dead letter is driven again."""
    origin = Origin(message.topic, message.partition, message.offset)
    headers = redriven_headers(message.headers, origin=origin, letter="0:0", times=times)
    kept = tuple((name, content or b"") for name, content in headers)
    world.now_ms += 10
    return replace(message, offset=offset, timestamp_ms=world.now_ms, headers=kept)


@pytest.mark.parametrize("fields", [{}, {"id": uuid("own")}])
async def test_a_message_that_is_driven_again_is_answered_once_with_and_without_an_id(
    fields: dict[str, object],
) -> None:
    world = World()
    first = raw(world, says(**fields))
    once = redriven(first, world, offset=first.offset + 1)
    twice = redriven(once, world, offset=first.offset + 2, times=2)
    for message in (once, twice, redriven(first, world, offset=first.offset + 3)):
        await world.process().role.step(message)
    world.work()
    await world.settle()
    [run] = [row for row in world.record.rows.values() if isinstance(row, Run)]
    own = ids.event_id("user-messages", first.partition, first.offset)
    assert (run.message_id, run.output) == (fields.get("id") or own, "It is 42.")


async def test_a_misplaced_message_that_is_driven_again_is_answered_once() -> None:
    world = World()
    first = raw(world, says(), key=None)
    for offset in (8, 9):
        await world.process().role.step(redriven(first, world, offset=offset))
    await world.settle()
    [run] = [row for row in world.record.rows.values() if isinstance(row, Run)]
    assert run.message_id == ids.event_id("user-messages", first.partition, first.offset)


async def test_a_command_that_is_driven_again_much_later_does_not_take_effect_once_more() -> None:
    world = World()
    world.say("chat", "one")
    await world.settle()
    home = partition_of(SESSION, world.topics.partitions)
    value = orjson.dumps(
        {"session_id": SESSION, "user_id": "alice", "kind": "configure", "payload": {"title": "old"}}
    )
    topic = world.topics.names.full(SESSION_COMMANDS)
    refused = Message(topic, home, 3, world.now_ms, SESSION.encode(), value)
    await world.process().role.step(redriven(refused, world, offset=50))
    assert world.context("chat").title == "old"
    command = SessionCommand(
        id=uuid("newer"),
        session_id=SESSION,
        user_id="alice",
        kind=CommandKind.CONFIGURE,
        payload='{"title":"new"}',
    )
    world.topics.append(command)
    for number in range(RECENT_EVENTS):
        world.say("chat", f"and {number}")
    await world.settle()
    assert ids.event_id("session-commands", home, 3) not in world.context("chat").applied
    for offset in (51, 52):
        await world.process().role.step(redriven(refused, world, offset=offset))
    assert world.context("chat").title == "new"
    world.check("chat")


@pytest.mark.parametrize("first_place", [b"maestro.runs/1/2", b"orders/1/2", b"nonsense", b"a/b/c"])
async def test_a_first_place_that_is_none_of_its_topic_does_not_count(first_place: bytes) -> None:
    world = World()
    message = replace(raw(world, says()), headers=((FIRST_PLACE, first_place),))
    await world.process().role.step(message)
    decided = next(logs for logs in world.record.accepted(SESSION))
    assert decided.cause_id == ids.event_id("user-messages", message.partition, message.offset)


@pytest.mark.parametrize("spec", [GENERATIONS, TOOL_RESULTS], ids=lambda spec: spec.name)
async def test_a_result_that_is_driven_again_changes_nothing(spec: TopicSpec) -> None:
    world = World()
    world.say("chat", "one")
    await world.settle()
    world.check("chat")
    before = [logs.model_dump() for logs in world.record.accepted(SESSION)]
    results = list(world.topics.of(spec))
    assert results
    for one in results:
        for offset in (101, 102):
            await world.process().role.step(redriven(one.message, world, offset=offset))
    await world.settle()
    world.check("chat")
    assert [logs.model_dump() for logs in world.record.accepted(SESSION)] == before


@pytest.mark.parametrize(
    ("value", "reason", "says_what"),
    [
        (None, DeadLetterReason.UNDECODABLE, "value"),
        (b"", DeadLetterReason.UNDECODABLE, ""),
        (b"\x01\x02\x03", DeadLetterReason.UNDECODABLE, ""),
        (b"{not json", DeadLetterReason.UNDECODABLE, "JSON"),
        (b"\x00\x00\x00\x00\x01abc", DeadLetterReason.UNKNOWN_SCHEMA, "schema"),
        (says(content=""), DeadLetterReason.INVALID, "content"),
        (says(user_id=7), DeadLetterReason.INVALID, "user_id"),
        (says(session_id="nobody"), DeadLetterReason.INVALID, "session_id"),
        (says(surprise=1), DeadLetterReason.INVALID, "surprise"),
    ],
)
async def test_what_cannot_be_read_is_a_dead_letter_with_a_reason(
    value: bytes | None, reason: DeadLetterReason, says_what: str
) -> None:
    world = World()
    role = world.process().role
    message = raw(world, value)
    with pytest.raises(PoisonError) as poison:
        await role.step(message)
    await role.on_poison(message, poison.value)
    [(dead, kept_reason, text)] = world.dead
    assert (dead.value, kept_reason) == (value, reason)
    assert says_what in text
    assert not list(world.topics.of(TASK_LOGS))


async def test_a_lane_is_the_sessions_key_and_never_raises() -> None:
    world = World()
    role = world.process().role
    assert role.lane(raw(world, b"\xff")) == SESSION.encode()
    assert role.lane(raw(world, None, key=None)) == role.lane(raw(world, b"x", key=b""))
    assert role.join_key(raw(world, None)) is None


async def test_an_error_of_our_own_is_kept_as_a_handler_error() -> None:
    world = World()
    await world.process().role.on_poison(raw(world, says()), ValueError("oops"))
    assert world.dead[0][1:] == (DeadLetterReason.HANDLER_ERROR, "ValueError: oops")
