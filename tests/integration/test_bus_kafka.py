"""The bus on a real Kafka: what is published is read, by us and by others, and nothing is lost on the way."""

import asyncio
import json
import os
from collections.abc import AsyncIterator

import confluent_kafka
import pytest

from bus.admin import Admin
from bus.agents_table import AgentsTable
from bus.consumer import Consumer
from bus.deadletter import REASON, TRUNCATED, DeadLetters
from bus.follower import Stream
from bus.message import Message, Place
from bus.reader import Start, TopicReader
from maestro.embedded.stack import EmbeddedStack
from schemas import examples
from schemas.errors import ErrorCode, FatalError, PoisonError, TransientError
from schemas.lists import DeadLetterReason
from schemas.partition import partition_of
from schemas.topics import AGENTS, DEAD_LETTERS, MAX_VALUE_BYTES, RUNS, TASK_LOGS, USER_MESSAGES
from telemetry.tracing import parse
from tests.integration.bus_topics import DEADLINE_S, PARTITIONS, TRACE, Bus, made, read_all


@pytest.fixture
async def bus(stack: EmbeddedStack) -> AsyncIterator[Bus]:
    running = await made(stack.urls.kafka_bootstrap)
    yield running
    await running.publisher.stop()


async def test_topics_are_made_once_and_checked(bus: Bus) -> None:
    async with Admin(bus.kafka, bus.topics) as admin:
        assert await admin.create_topics() == ()
        assert await admin.check_topics() == []
        assert await admin.cluster_id()
    other = bus.topics.model_copy(update={"partitions": PARTITIONS + 1})
    async with Admin(bus.kafka, other) as admin:
        problems = await admin.check_topics([RUNS])
        assert problems == [f"topic {bus.names.full(RUNS)} has 3 partitions, not 4: all need the same"]
    elsewhere = bus.topics.model_copy(update={"prefix": "nowhere."})
    async with Admin(bus.kafka, elsewhere) as admin:
        assert await admin.check_topics([RUNS]) == [
            "topic nowhere.runs is missing: create it with `maestro topics`"
        ]


async def test_a_topic_that_kafka_refuses_is_named(bus: Bus) -> None:
    impossible = bus.topics.model_copy(update={"prefix": f"{bus.topics.prefix}x.", "replication": 5})
    async with Admin(bus.kafka, impossible) as admin:
        with pytest.raises(FatalError, match=r"x\.runs: "):
            _ = await admin.create_topics([RUNS])


async def test_every_record_arrives_where_its_key_belongs(bus: Bus) -> None:
    deliveries = [await bus.publisher.publish(record, trace=TRACE) for record in examples.ALL.values()]
    async with TopicReader(bus.kafka, [each.topic for each in deliveries], start=Start.BEGINNING) as reader:
        messages = await read_all(reader)
    assert len(messages) == len(examples.ALL)
    by_place = {(message.topic, message.partition, message.offset): message for message in messages}
    for delivery, record in zip(deliveries, examples.ALL.values(), strict=True):
        message = by_place[delivery.topic, delivery.partition, delivery.offset]
        spec = bus.names.spec_of(message.topic)
        assert spec is not None
        assert bus.codec.decode(spec, message.value) == record
        assert message.key is not None
        assert message.partition == partition_of(message.key, PARTITIONS)
        assert message.timestamp == delivery.timestamp_ms
        assert parse(message.headers) == TRACE
        assert dict(message.headers)["ce_specversion"] == b"1.0"


async def test_concurrent_publishes_share_batches(bus: Bus) -> None:
    _ = await bus.publisher.publish(examples.RUN, trace=TRACE)
    deliveries = await asyncio.gather(*(bus.publisher.publish(examples.RUN, trace=TRACE) for _ in range(200)))
    offsets = [delivery.offset for delivery in deliveries]
    assert offsets == list(range(offsets[0], offsets[0] + 200))
    # The broker stamps a batch once: 200 messages of one turn of the loop carry very few stamps.
    assert len({delivery.timestamp_ms for delivery in deliveries}) <= 2


async def test_what_belongs_together_is_published_in_one_call(bus: Bus) -> None:
    together = [examples.RUN, examples.USER_MESSAGE, examples.TASK_LOGS]
    await bus.publisher.publish_all(together, trace=TRACE, partition=1)
    topics = [bus.names.full(spec) for spec in (RUNS, USER_MESSAGES, TASK_LOGS)]
    async with TopicReader(bus.kafka, topics, start=Start.BEGINNING) as reader:
        messages = await read_all(reader)
    assert sorted(message.topic for message in messages) == sorted(topics)
    assert {message.partition for message in messages} == {1}


async def test_nothing_is_sent_of_what_has_an_oversized_part(bus: Bus) -> None:
    huge = examples.USER_MESSAGE.model_copy(update={"content": "x" * MAX_VALUE_BYTES})
    with pytest.raises(PoisonError) as caught:
        await bus.publisher.publish_all([examples.RUN, huge], trace=TRACE, partition=0)
    assert caught.value.code is ErrorCode.TOO_LARGE
    with pytest.raises(FatalError, match="has 3 partitions"):
        await bus.publisher.publish_all([examples.RUN, examples.RUN], trace=TRACE, partition=PARTITIONS)
    async with TopicReader(bus.kafka, [bus.names.full(RUNS)], start=Start.BEGINNING) as reader:
        assert await read_all(reader) == []


async def test_a_stock_librdkafka_producer_is_understood(bus: Bus) -> None:
    topic = bus.names.full(USER_MESSAGES)
    plain = {"session_id": examples.SESSION_ID, "user_id": "alice", "content": "hello"}
    producer = confluent_kafka.Producer({"bootstrap.servers": bus.kafka.bootstrap_servers})
    producer.produce(topic, json.dumps(plain).encode())
    producer.produce(topic, bus.codec.encode(examples.USER_MESSAGE), key=examples.SESSION_ID.encode())
    assert await asyncio.to_thread(producer.flush, DEADLINE_S) == 0
    async with TopicReader(bus.kafka, [topic], start=Start.BEGINNING) as reader:
        records = [bus.codec.decode(USER_MESSAGES, message.value) for message in await read_all(reader)]
    assert len(records) == 2
    assert examples.USER_MESSAGE in records
    (other,) = [record for record in records if record != examples.USER_MESSAGE]
    assert other.model_dump(include=set(plain)) == plain


async def test_an_oversized_record_is_refused_and_the_next_one_works(bus: Bus) -> None:
    first = await bus.publisher.publish(examples.USER_MESSAGE, trace=TRACE)
    huge = examples.USER_MESSAGE.model_copy(update={"content": "x" * (MAX_VALUE_BYTES + 1)})
    with pytest.raises(PoisonError) as raised:
        _ = await bus.publisher.publish(huge, trace=TRACE)
    assert raised.value.code is ErrorCode.TOO_LARGE
    following = await bus.publisher.publish(examples.USER_MESSAGE, trace=TRACE)
    assert (following.partition, following.offset) == (first.partition, first.offset + 1)


async def test_the_largest_value_that_is_allowed_is_taken_by_the_broker(bus: Bus) -> None:
    value = os.urandom(MAX_VALUE_BYTES)
    headers: list[tuple[str, bytes | None]] = [("h", os.urandom(100_000))]
    topic = bus.names.full(DEAD_LETTERS)
    placed = await bus.publisher.send_raw(topic, partition=1, key=b"k" * 200, value=value, headers=headers)
    async with TopicReader(bus.kafka, [topic], start=Start.BEGINNING, partitions=[1]) as reader:
        (message,) = await read_all(reader)
    assert (message.offset, message.value) == (placed.offset, value)


async def test_a_partition_that_does_not_exist_is_fatal(bus: Bus) -> None:
    with pytest.raises(FatalError, match="has 3 partitions"):
        _ = await bus.publisher.publish(examples.RUN, trace=TRACE, partition=PARTITIONS)


async def test_a_dead_letter_keeps_everything_and_says_why(bus: Bus) -> None:
    letters = DeadLetters(bus.publisher, bus.names)
    topic = bus.names.full(USER_MESSAGES)
    original: list[tuple[str, bytes | None]] = [("traceparent", b"x"), ("mine", None), (REASON, b"old")]
    async with TopicReader(bus.kafka, [bus.names.full(DEAD_LETTERS)]) as reader:
        for key, value in ((b"key", b"\xff bad"), (None, None), (b"key", b"x" * (MAX_VALUE_BYTES + 7))):
            await letters.put(
                topic=topic,
                partition=2,
                offset=41,
                key=key,
                value=value,
                headers=original,
                reason=DeadLetterReason.UNDECODABLE,
                message="the value starts with 0xff",
                stage="session",
            )
        whole, empty, cut = await read_all(reader)
    assert (whole.partition, whole.key, whole.value) == (2, b"key", b"\xff bad")
    named = dict(whole.headers)
    assert named["traceparent"] == b"x"
    assert named["mine"] is None
    assert named["__connect.errors.topic"] == topic.encode()
    assert named["__connect.errors.partition"] == b"2"
    assert named["__connect.errors.offset"] == b"41"
    assert named["__connect.errors.exception.message"] == b"the value starts with 0xff"
    assert [value for name, value in whole.headers if name == REASON] == [b"undecodable"]
    assert empty.value == b""
    assert cut.value == b"x" * MAX_VALUE_BYTES
    assert dict(cut.headers)[TRUNCATED] == str(MAX_VALUE_BYTES + 7).encode()


async def test_a_reader_at_the_end_misses_nothing_that_is_sent_afterwards(bus: Bus) -> None:
    before = await bus.publisher.publish(examples.RUN, trace=TRACE)
    async with TopicReader(bus.kafka, [bus.names.full(RUNS)]) as reader:
        after = await bus.publisher.publish(examples.RUN, trace=TRACE)
        messages = await reader.read(timeout_s=DEADLINE_S)
    assert [message.offset for message in messages] == [after.offset]
    assert after.offset == before.offset + 1


async def test_a_reader_of_a_missing_topic_says_so(bus: Bus) -> None:
    with pytest.raises(TransientError, match=r"nowhere\.runs is missing"):
        await TopicReader(bus.kafka, ["nowhere.runs"]).start()


async def test_the_agents_table_answers_behind_a_barrier(bus: Bus) -> None:
    table = AgentsTable(bus.kafka, names=bus.names, codec=bus.codec)
    _ = await bus.publisher.publish(examples.AGENT, trace=TRACE)
    await table.start()
    try:
        assert await table.get(examples.AGENT_ID) == examples.AGENT
        assert await table.get("nobody") is None
        for number in range(20):
            agent = examples.AGENT.model_copy(update={"id": f"late-{number}"})
            _, *found = await asyncio.gather(
                table.get("nobody"),
                *[_published_and_found(bus, table, agent.id) for _ in range(3)],
            )
            assert found == [agent, agent, agent]
        broken = await bus.publisher.partitions(bus.names.full(AGENTS))
        partition = partition_of(examples.AGENT_ID, broken)
        for value in (b"broken", None):
            assert await table.get(examples.AGENT_ID) == examples.AGENT
            _ = await bus.publisher.send_raw(
                bus.names.full(AGENTS),
                partition=partition,
                key=examples.AGENT_ID.encode(),
                value=value,
                headers=[],
            )
            await table.barrier(DEADLINE_S)
        assert await table.get(examples.AGENT_ID) is None
        assert len(table.all()) == 20
    finally:
        await table.stop()


async def _published_and_found(bus: Bus, table: AgentsTable, agent_id: str) -> object:
    agent = examples.AGENT.model_copy(update={"id": agent_id})
    _ = await bus.publisher.publish(agent, trace=TRACE)
    return await table.get(agent_id)


def consumer_from(bus: Bus, offsets: dict[Place, int], asked: list[frozenset[Place]]) -> Consumer:
    async def on_assigned(places: frozenset[Place]) -> dict[Place, int]:
        asked.append(places)
        return {place: offsets[place] for place in places if place in offsets}

    topics = [bus.names.full(RUNS), bus.names.full(TASK_LOGS)]
    streams = [Stream(topics=tuple(topics))]
    return Consumer(bus.kafka, streams=streams, group=bus.names.group("test"), on_assigned=on_assigned)


async def drain(consumer: Consumer, count: int) -> list[Message]:
    """Read until `count` messages are there."""
    found: list[Message] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(found) < count:
            batch = await consumer.get_batch(max_records=100, timeout_s=0.2)
            found += [message for messages in batch.values() for message in messages]
    return found


async def test_a_consumer_goes_on_where_it_is_told(bus: Bus) -> None:
    topic = bus.names.full(RUNS)
    placed = [await bus.publisher.publish(examples.RUN, trace=TRACE, partition=1) for _ in range(5)]
    asked: list[frozenset[Place]] = []
    consumer = consumer_from(bus, {(topic, 1): placed[3].offset}, asked)
    await consumer.start()
    try:
        messages = await drain(consumer, 2)
        assert [message.offset for message in messages] == [3, 4]
        assert len(asked) == 1
        assert len(asked[0]) == 2 * PARTITIONS
        await consumer.commit({(topic, 1): 5})
        async with Admin(bus.kafka, bus.topics) as admin:
            lag = await admin.group_lag(bus.names.group("test"), [topic])
        assert lag[topic, 1].messages == 0
        _ = await bus.publisher.publish(examples.RUN, trace=TRACE, partition=1)
        assert [message.offset for message in await drain(consumer, 1)] == [5]
    finally:
        await consumer.stop()


async def test_a_resting_stream_returns_what_has_gathered_and_the_first_message_at_once(bus: Bus) -> None:
    streams = [
        Stream(topics=(bus.names.full(RUNS),), rest_s=1.0),
        Stream(topics=(bus.names.full(TASK_LOGS),)),
    ]

    async def on_assigned(places: frozenset[Place]) -> dict[Place, int]:
        assert len(places) == 2 * PARTITIONS
        return {}

    consumer = Consumer(bus.kafka, streams=streams, group=bus.names.group("rest"), on_assigned=on_assigned)
    await consumer.start()
    try:
        _ = await bus.publisher.publish(examples.TASK_LOGS, trace=TRACE)
        async with asyncio.timeout(DEADLINE_S):
            while not (logs := await consumer.get_batch(1, max_records=100, timeout_s=0.2)):
                pass
            _ = await bus.publisher.publish(examples.RUN, trace=TRACE, partition=0)
            first = await consumer.get_batch(0, max_records=100, timeout_s=10)
            for partition in range(PARTITIONS):
                _ = await bus.publisher.publish(examples.RUN, trace=TRACE, partition=partition)
            gathered = await consumer.get_batch(0, max_records=100, timeout_s=10)
        assert [place[0] for place in logs] == [bus.names.full(TASK_LOGS)]
        assert [len(messages) for messages in first.values()] == [1]
        assert sorted(place[1] for place in gathered) == list(range(PARTITIONS))
        assert await consumer.get_batch(1, max_records=100, timeout_s=0.2) == {}
    finally:
        await consumer.stop()


async def test_what_the_store_raises_reaches_the_caller_and_nothing_is_read_meanwhile(bus: Bus) -> None:
    _ = await bus.publisher.publish(examples.RUN, trace=TRACE, partition=0)
    failures = [TransientError("the store is away"), TransientError("still away")]

    async def on_assigned(places: frozenset[Place]) -> dict[Place, int]:
        assert places
        if failures:
            raise failures.pop()
        return {}

    group = bus.names.group("failing")
    streams = [Stream(topics=(bus.names.full(RUNS),))]
    consumer = Consumer(bus.kafka, streams=streams, group=group, on_assigned=on_assigned)
    await consumer.start()
    try:
        for words in ("still away", "the store is away"):
            with pytest.raises(TransientError, match=words):
                _ = await drain(consumer, 1)
        assert len(await drain(consumer, 1)) == 1
    finally:
        await consumer.stop()


async def test_an_offset_beyond_the_topic_is_fatal(bus: Bus) -> None:
    consumer = consumer_from(bus, {(bus.names.full(RUNS), 0): 99}, [])
    await consumer.start()
    try:
        with pytest.raises(FatalError, match="recreated") as raised:
            _ = await drain(consumer, 1)
        assert raised.value.code is ErrorCode.TOPIC_RECREATED
    finally:
        await consumer.stop()


async def test_a_second_member_takes_over_equal_partitions_of_all_topics(bus: Bus) -> None:
    first, second = consumer_from(bus, {}, []), consumer_from(bus, {}, [])
    await first.start()
    await second.start()
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not (first.assignment and second.assignment) or first.assignment & second.assignment:
                _ = await first.get_batch(max_records=10, timeout_s=0.1)
                _ = await second.get_batch(max_records=10, timeout_s=0.1)
        for member in (first, second):
            of_topic = {
                topic: {number for name, number in member.assignment if name == bus.names.full(topic)}
                for topic in (RUNS, TASK_LOGS)
            }
            assert of_topic[RUNS] == of_topic[TASK_LOGS]
        everything = {place for member in (first, second) for place in member.assignment}
        assert len(everything) == 2 * PARTITIONS
    finally:
        await first.stop()
        await second.stop()
