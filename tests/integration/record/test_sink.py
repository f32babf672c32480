"""The sink process on real Kafka and Postgres: everything recorded once, whoever comes and goes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from bus.admin import Admin
from bus.codec import Codec
from bus.connection import client_options
from bus.consumer import Consumer
from bus.deadletter import DeadLetters
from bus.names import TopicNames
from bus.publisher import Publisher
from bus.reader import Start, TopicReader
from bus.settings import KafkaSettings, TopicSettings
from maestro.embedded.stack import EmbeddedStack
from schemas.records import Record
from schemas.topics import AGENTS, DEAD_LETTERS, MESSAGES, TASK_LOGS
from sinks.postgres.store import PostgresStore
from sinks.postgres.tables import BY_TOPIC
from sinks.process import SinkProcess, topics_of
from sinks.settings import SinkSettings
from stores.postgres.pool import Database
from stores.postgres.progress import Progress
from stores.postgres.session_logs import SessionLogs
from telemetry.tracing import derived
from tests.fakes.made_session import Made

DEADLINE_S = 30
PARTITIONS = 4


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until the condition holds, for at most DEADLINE_S seconds."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not await condition():  # noqa: ASYNC110  a database gives no sign
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"not within {DEADLINE_S} s: {what}")


@dataclass
class House:
    """Topics of one test, a publisher, and sinks on one database."""

    kafka: KafkaSettings
    names: TopicNames
    publisher: Publisher
    database: Database

    @asynccontextmanager
    async def sink(
        self, settings: SinkSettings | None = None
    ) -> AsyncGenerator[tuple[SinkProcess, asyncio.Task[int]]]:
        """A running sink, stopped in an orderly way at the end."""
        used = settings or SinkSettings()
        topics = topics_of(BY_TOPIC, self.names.prefix)
        process = SinkProcess(
            topics=topics,
            settings=used,
            store=PostgresStore(self.database, weeks_ahead=used.weeks_ahead),
            decoder=Codec(),
            dead_letters=DeadLetters(self.publisher, self.names),
        )
        process.connect(
            Consumer(
                self.kafka,
                streams=process.streams,
                group=self.names.group("sink-postgres"),
                on_assigned=process.on_assigned,
            )
        )
        running = asyncio.create_task(process.run())
        try:
            yield process, running
        finally:
            process.stop()
            async with asyncio.timeout(DEADLINE_S):
                await asyncio.wait([running])

    async def publish(self, *records: Record) -> None:
        """Publish records, in order."""
        for record in records:
            await self.publisher.publish(record, trace=derived("test"))

    async def count(self, table: str) -> int:
        """Rows of a table."""
        rows = await self.database.fetch(f"select count(*) as n from {table}")  # noqa: S608  names of the tests
        return int(rows[0]["n"])

    async def until_rows(self, table: str, count: int) -> None:
        """Wait until a table has that many rows."""

        async def has_them() -> bool:
            return await self.count(table) >= count

        await until(has_them, f"{count} rows in {table}")
        assert await self.count(table) == count

    async def dead_letters(self) -> list[dict[str, bytes | None]]:
        """Headers of all dead letters so far."""
        async with TopicReader(self.kafka, [self.names.full(DEAD_LETTERS)], start=Start.BEGINNING) as reader:
            return [dict(each.headers) async for each in reader.read_to_end(deadline_s=DEADLINE_S)]


@pytest.fixture
async def house(stack: EmbeddedStack, database: Database) -> AsyncIterator[House]:
    """Fresh topics and a fresh record."""
    kafka = KafkaSettings(bootstrap_servers=stack.urls.kafka_bootstrap)
    topics = TopicSettings(prefix=f"t{uuid4().hex}.", partitions=PARTITIONS)
    names = TopicNames(topics.prefix)
    async with Admin(kafka, topics) as admin:
        await admin.create_topics([*BY_TOPIC, DEAD_LETTERS])
    publisher = Publisher(kafka, names=names, codec=Codec(), source="test")
    await publisher.start()
    yield House(kafka, names, publisher, database)
    await publisher.stop()


def everything_of(made: Made) -> tuple[Record, ...]:
    """One record of each topic that belongs to a session."""
    return (
        made.logs(), made.task(), made.session(), made.run(), made.message(), made.generation(),
        made.tool_call(), made.tool_result(),
    )  # fmt: skip


TABLES = ("task_logs", "tasks", "sessions", "runs", "messages", "generations", "tool_calls", "tool_results")


async def test_every_topic_becomes_rows_of_its_table(house: House, made: Made) -> None:
    async with house.sink() as (process, running):
        await house.publish(*everything_of(made), *everything_of(made))
        for table in TABLES:
            await house.until_rows(table, 1)
        assert process.health.live().ok
        assert process.health.ready().ok, process.health.ready().reason
    assert await running == 0


async def test_a_restarted_sink_goes_on_where_the_record_stands(house: House) -> None:
    first, second = [Made(str(uuid4())) for _ in range(20)], [Made(str(uuid4())) for _ in range(20)]
    async with house.sink():
        await house.publish(*(each.logs() for each in first))
        await house.until_rows("task_logs", 20)
    await house.publish(*(each.logs() for each in second))
    await house.database.execute("delete from task_logs")
    async with house.sink():
        # Only what came after the stored offsets is written: nothing is read twice.
        await house.until_rows("task_logs", 20)
        logs = SessionLogs(house.database)
        assert all([await logs.entries(each.session_id) for each in second])


async def test_members_come_and_go_and_every_row_is_there_once(house: House) -> None:
    sessions = [Made(str(uuid4())) for _ in range(60)]
    async with house.sink() as (_, first):
        await house.publish(
            *(each.message() for each in sessions[:20]), *(each.logs() for each in sessions[:20])
        )
        async with house.sink() as (_, second):
            for each in sessions[20:40]:
                await house.publish(each.message(), each.logs())
            await house.until_rows("messages", 40)
            assert not first.done()
        assert await second == 0
        await house.publish(
            *(each.message() for each in sessions[40:]), *(each.logs() for each in sessions[40:])
        )
        await house.until_rows("messages", 60)
        await house.until_rows("task_logs", 60)
    assert await first == 0


async def test_what_cannot_be_decoded_is_a_dead_letter_and_the_rest_is_recorded(
    house: House, made: Made
) -> None:
    topic = house.names.full(MESSAGES)
    async with house.sink():
        await house.publish(made.message())
        for value in (b"garbage", b"\x00\x00\x00\x00\x07wrong id", None):
            await house.publisher.send_raw(topic, partition=1, key=b"k", value=value, headers=[])
        await house.publish(made.message(order=2))
        await house.until_rows("messages", 2)

        async def has_three() -> bool:
            return len(await house.dead_letters()) == 3

        await until(has_three, "three dead letters")
        reasons = sorted(str(each["maestro.reason"]) for each in await house.dead_letters())
        assert reasons == ["b'undecodable'", "b'undecodable'", "b'unknown_schema'"]
        progress = Progress(house.database)

        async def has_passed() -> bool:
            return (await progress.next_offsets([(topic, 1)]))[topic, 1] >= 3

        await until(has_passed, "the offsets behind the bad messages")


async def test_too_much_that_is_refused_stops_the_sink_before_it_is_given_up(
    house: House, made: Made
) -> None:
    topic = house.names.full(MESSAGES)
    async with house.sink(SinkSettings(refused_limit=2)) as (process, running):
        for _ in range(3):
            await house.publisher.send_raw(topic, partition=0, key=b"k", value=b"garbage", headers=[])
        await house.publish(made.run())
        async with asyncio.timeout(DEADLINE_S):
            code = await running
    assert code == 1
    assert "MAESTRO_SINK_REFUSED_LIMIT" in process.health.live().reason
    assert len(await house.dead_letters()) <= 2


async def test_a_log_record_of_a_newer_version_stops_the_sink_at_once(house: House, made: Made) -> None:
    topic, key = house.names.full(TASK_LOGS), made.session_id.encode()
    newer = b"\x00\x7f\xff\xff\xffwhatever"
    async with house.sink() as (process, running):
        await house.publisher.send_raw(topic, partition=0, key=key, value=newer, headers=[])
        async with asyncio.timeout(DEADLINE_S):
            assert await running == 1
    assert f"partition 0, offset 0 of {topic} cannot be read" in process.health.live().reason
    assert await house.dead_letters() == []
    # Moved past it as the documentation says, it goes on.
    await house.database.execute(
        "update sink_offsets set next_offset = 1 where sink = 'postgres' and topic = $1 and partition = 0",
        topic,
    )
    async with house.sink():
        await house.publish(Made(str(uuid4())).logs())
        await house.until_rows("task_logs", 1)


async def test_an_agent_written_as_json_is_recorded_and_its_newest_message_wins(house: House) -> None:
    topic = house.names.full(AGENTS)
    start = b'{"id":"helper","configuration":{"model":"m"},"created_at":"2026-11-18T12:00:00Z",'
    async with house.sink():
        for name in (b"One", b"Two"):
            value = start + b'"updated_at":"2026-11-18T12:00:00Z","name":"' + name + b'"}'
            await house.publisher.send_raw(topic, partition=2, key=b"helper", value=value, headers=[])

        async def has_the_newest() -> bool:
            return [row["name"] for row in await house.database.fetch("select name from agents")] == ["Two"]

        await until(has_the_newest, "the newest agent")


async def test_messages_are_recorded_however_their_producer_compresses_them(house: House) -> None:
    topic = house.names.full(AGENTS)
    kinds = (None, "gzip", "snappy", "lz4", "zstd")
    async with house.sink():
        for kind in kinds:
            value = (
                f'{{"id":"{kind}","configuration":{{"model":"m"}},"created_at":"2026-11-18T12:00:00Z",'
                f'"updated_at":"2026-11-18T12:00:00Z","name":"{kind}"}}'
            )
            async with AIOKafkaProducer(**client_options(house.kafka), compression_type=kind) as producer:
                await producer.send_and_wait(topic, value.encode(), key=b"some", partition=0)
        await house.until_rows("agents", len(kinds))


async def test_a_sink_whose_offsets_another_process_moves_starts_again_from_there(
    house: House, made: Made
) -> None:
    topic = house.names.full(MESSAGES)
    async with house.sink() as (_, running):
        await house.publish(made.message())
        await house.until_rows("messages", 1)
        # Somebody else writes the next message first.
        await house.database.execute(
            "update sink_offsets set next_offset = next_offset + 1 where topic = $1 and next_offset > 0",
            topic,
        )
        await house.publish(made.message(order=2), made.message(order=3))
        await house.until_rows("messages", 2)
        assert not running.done()
    rows = await house.database.fetch("select sequence_order from messages order by 1")
    assert [row["sequence_order"] for row in rows] == [1, 3]
