"""Dead letters on a real Kafka: driven again, refused with a reason, or given up."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from bus.deadletter import DeadLetters
from bus.letters import Deed, Letter, LetterState
from bus.message import Message
from bus.publisher import Delivery
from bus.reader import Start, TopicReader
from bus.redrive import FIRST_PLACE, LETTER, REDRIVEN
from maestro.clients import KafkaAccess
from maestro.dead_letters import Outcome, Redriver, all_letters, letter_at
from maestro.embedded.stack import EmbeddedStack
from schemas import examples
from schemas.errors import ErrorCode
from schemas.lists import DeadLetterReason
from schemas.partition import partition_of
from schemas.records import Agent
from schemas.topics import (
    AGENTS,
    DEAD_LETTERS,
    MAX_VALUE_BYTES,
    RUNS,
    USER_MESSAGES,
    TopicSpec,
)
from tests.integration.bus_topics import DEADLINE_S, PARTITIONS, TRACE, Bus, made, read_all

KEY = b"0190aaaa-0000-7000-8000-000000000001"
HOME = partition_of(KEY, PARTITIONS)
HEADERS: list[tuple[str, bytes | None]] = [("producer", b"mallory"), ("nothing", None)]


@pytest.fixture
async def bus(stack: EmbeddedStack) -> AsyncIterator[Bus]:
    running = await made(stack.urls.kafka_bootstrap)
    yield running
    await running.publisher.stop()


@pytest.fixture
def kafka(bus: Bus) -> KafkaAccess:
    return KafkaAccess(settings=bus.kafka, topics=bus.topics, names=bus.names, codec=bus.codec)


async def kept(
    bus: Bus,
    spec: TopicSpec,
    value: bytes | None,
    *,
    key: bytes | None = KEY,
    partition: int = HOME,
    topic: str | None = None,
    reason: DeadLetterReason = DeadLetterReason.INVALID,
) -> Delivery:
    """Publish bytes on a topic and keep them as a dead letter, as a worker would; return their place."""
    own = bus.names.full(spec)
    if value is not None and len(value) > MAX_VALUE_BYTES:
        place = Delivery(own, partition, 0, 0)
    else:
        place = await bus.publisher.send_raw(own, partition=partition, key=key, value=value, headers=HEADERS)
    await DeadLetters(bus.publisher, bus.names).put(
        topic=topic or own,
        partition=place.partition,
        offset=place.offset,
        key=key,
        value=value,
        headers=HEADERS,
        reason=reason,
        message="it does not fit",
        stage="test",
    )
    return place


async def on(bus: Bus, spec: TopicSpec) -> list[Message]:
    async with TopicReader(bus.kafka, [bus.names.full(spec)], start=Start.BEGINNING) as reader:
        return await read_all(reader)


async def redriven(kafka: KafkaAccess, letters: Sequence[Letter], *, by: str = "ann") -> list[Outcome]:
    async with Redriver(kafka, by=by) as redriver:
        return await redriver.redrive(letters)


async def test_a_message_goes_back_as_it_was_and_the_list_says_who_did_it(
    bus: Bus, kafka: KafkaAccess
) -> None:
    place = await kept(bus, USER_MESSAGES, b'{"hello": 1}')
    for by in ("ann", "bob"):
        [outcome] = await redriven(kafka, await all_letters(kafka), by=by)
        assert outcome.problem is None
    first, *again = await on(bus, USER_MESSAGES)
    assert [(each.partition, each.key, each.value) for each in again] == [(HOME, KEY, b'{"hello": 1}')] * 2
    for times, message in enumerate(again, start=1):
        assert list(message.headers[:2]) == HEADERS
        assert dict(message.headers[2:]) == {
            FIRST_PLACE: f"{place.topic}/{first.partition}/{first.offset}".encode(),
            REDRIVEN: str(times).encode(),
            LETTER: f"{HOME}:0".encode(),
        }
    [letter] = await all_letters(kafka)
    assert (letter.state, letter.redrives) == (LetterState.REDRIVEN, 2)
    assert [(mark.by, mark.to) for mark in letter.marks] == [
        (by, f"{place.topic}/{HOME}/{message.offset}")
        for by, message in zip(("ann", "bob"), again, strict=True)
    ]


async def test_a_discarded_letter_stays_with_the_note_and_can_still_be_driven_again(
    bus: Bus, kafka: KafkaAccess
) -> None:
    await kept(bus, RUNS, b"\x01", reason=DeadLetterReason.UNDECODABLE)
    async with Redriver(kafka, by="ann") as redriver:
        _ = await redriver.discard(await all_letters(kafka), note="an experiment")
    [letter] = await all_letters(kafka)
    assert letter.state is LetterState.DISCARDED
    assert [(mark.did, mark.by, mark.note) for mark in letter.marks] == [
        (Deed.DISCARDED, "ann", "an experiment")
    ]
    found = await letter_at(kafka, HOME, 0)
    assert found is not None
    assert (found[0], found[1].value) == (letter, b"\x01")
    assert await letter_at(kafka, HOME, 1) is None  # the mark
    assert await letter_at(kafka, HOME, 99) is None
    [outcome] = await redriven(kafka, [letter])
    assert outcome.to is not None
    assert [each.value for each in await on(bus, RUNS)] == [b"\x01", b"\x01"]


async def test_a_rehearsal_writes_nothing(bus: Bus, kafka: KafkaAccess) -> None:
    await kept(bus, RUNS, b"\x01")
    async with Redriver(kafka, by="ann") as redriver:
        [outcome] = await redriver.redrive(await all_letters(kafka), is_rehearsal=True)
    assert (outcome.problem, outcome.to, outcome.times) == (None, None, 1)
    assert len(await on(bus, RUNS)) == len(await on(bus, DEAD_LETTERS)) == 1


async def test_messages_without_a_key_keep_their_partition_and_foreign_ones_go_where_their_key_belongs(
    bus: Bus, kafka: KafkaAccess
) -> None:
    elsewhere = (HOME + 1) % PARTITIONS
    await kept(bus, USER_MESSAGES, b"without", key=None, partition=elsewhere)
    await kept(bus, USER_MESSAGES, b"misplaced", partition=elsewhere)
    _ = await redriven(kafka, await all_letters(kafka))
    again = [each for each in await on(bus, USER_MESSAGES) if REDRIVEN in dict(each.headers)]
    last = {each.value: each.partition for each in again}
    assert (last[b"without"], last[b"misplaced"]) == (elsewhere, HOME)


async def test_what_cannot_be_driven_again_says_why_stays_open_and_holds_nothing_up(
    bus: Bus, kafka: KafkaAccess
) -> None:
    await kept(bus, USER_MESSAGES, b"x" * (MAX_VALUE_BYTES + 1), reason=DeadLetterReason.TOO_LARGE)
    await kept(bus, RUNS, b"gone", topic=bus.names.prefix + "nothing")
    await kept(bus, RUNS, b"good")
    letters = await all_letters(kafka)
    nameless = replace(letters[1], origin=None)
    expired = replace(letters[2], offset=999)
    outcomes = await redriven(kafka, [*letters[:2], nameless, expired, letters[2]])
    codes = [None if each.problem is None else each.problem.code for each in outcomes]
    assert codes == [ErrorCode.TOO_LARGE, ErrorCode.NOT_FOUND, ErrorCode.INVALID, ErrorCode.NOT_FOUND, None]
    says = [each.problem.message for each in outcomes if each.problem is not None]
    for sentence, part in zip(
        says, ("900001 bytes", "no topic of this", "does not say", "any more"), strict=True
    ):
        assert part in sentence
    states = [letter.state for letter in await all_letters(kafka)]
    assert states == [LetterState.OPEN, LetterState.OPEN, LetterState.REDRIVEN]


async def test_a_topic_that_is_gone_is_named_and_the_letter_stays(bus: Bus, kafka: KafkaAccess) -> None:
    await kept(bus, RUNS, b"good")
    [letter] = await all_letters(kafka)
    async with kafka.admin() as admin:
        await admin._client.delete_topics([bus.names.full(RUNS)])
        async with TopicReader(bus.kafka, [bus.names.full(DEAD_LETTERS)]) as reader:
            for _ in range(100):
                if not await admin.partitions_of([bus.names.full(RUNS)]):
                    break
                _ = await reader.read(timeout_s=DEADLINE_S / 300)
    [outcome] = await redriven(kafka, [letter])
    assert outcome.problem is not None
    assert (outcome.problem.code, "maestro topics" in outcome.problem.message) == (ErrorCode.NOT_FOUND, True)
    assert [letter.state for letter in await all_letters(kafka)] == [LetterState.OPEN]


async def test_an_old_agent_does_not_take_the_place_of_a_newer_one(bus: Bus, kafka: KafkaAccess) -> None:
    old = next(record for record in examples.ALL.values() if isinstance(record, Agent))
    key = old.id.encode()
    partition = partition_of(key, PARTITIONS)
    await kept(bus, AGENTS, bus.codec.encode(old), key=key, partition=partition)
    letters = await all_letters(kafka)
    for _ in range(2):  # the second time its own repetition is the newest
        [outcome] = await redriven(kafka, letters)
        assert outcome.problem is None
    _ = await bus.publisher.publish(old.model_copy(update={"name": "newer"}), trace=TRACE)
    [outcome] = await redriven(kafka, letters)
    assert outcome.problem is not None
    assert "newer message of the same key" in outcome.problem.message
    newest = [each for each in await on(bus, AGENTS) if each.key == key][-1]
    assert b"newer" in (newest.value or b"")
