"""An erased session leaves nothing in the record, whatever was in flight, and its topics get tombstones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from bus.message import Place
from schemas import topics
from schemas.errors import TransientError
from schemas.lists import Action
from schemas.partition import partition_of
from schemas.records import Document, Record, TaskLogs
from sinks.postgres.store import PostgresStore
from sinks.postgres.sweep import Sweep
from stores.postgres.pool import Database
from stores.postgres.session_logs import SessionLogs
from tests.fakes.made_session import AT, Made
from tests.fakes.partition import Partition, write_all

PARTITIONS = 12
TABLES = ("task_logs", "session_heads", "tasks", "sessions", "runs", "messages", "generations", "tool_calls",
          "tool_results", "documents", "message_embeddings")  # fmt: skip
VECTOR = """
insert into message_embeddings (
    id, user_id, session_id, source, model, content_hash, embedding, tsv, created_at
)
values ($1, 'alice', $2, 'message', 'm', '', array_fill(0, array[1536])::vector::halfvec(1536), '', now())
"""


@dataclass
class Kafka:
    """Ends of partitions, and the tombstones that were sent."""

    end: int = 0
    is_away: bool = False
    sent: list[tuple[str, int, bytes | None, bytes | None]] = field(default_factory=list)

    async def end_offsets(self, places: Iterable[Place]) -> Mapping[Place, int]:
        """Return one end for all."""
        return dict.fromkeys(places, self.end)

    async def send_raw(
        self,
        topic: str,
        *,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> None:
        """Keep what is sent."""
        assert headers == []
        if self.is_away:
            message = "the broker is away"
            raise TransientError(message)
        self.sent.append((topic, partition, key, value))


def sweep_of(database: Database, kafka: Kafka) -> Sweep:
    return Sweep(
        database,
        ends=kafka,
        tombstones=kafka,
        topics=("task-logs", "messages"),
        compacted=("tasks", "sessions"),
        partitions=PARTITIONS,
    )


def erasing(made: Made, sequence: int) -> TaskLogs:
    logs = made.logs(sequence)
    entry = logs.entries[0].model_copy(update={"action": Action.SESSION_ERASED})
    return logs.model_copy(update={"entries": (entry,)})


def all_of(made: Made) -> tuple[Record, ...]:
    document = Document(
        id=made.run_id,
        session_id=made.session_id,
        user_id="alice",
        title="t",
        content="c",
        created_at=AT,
    )
    return (
        made.task(), made.session(), made.run(), made.message(), made.generation(), made.tool_call(),
        made.tool_result(), document,
    )  # fmt: skip


async def rows_of(database: Database, *, table: str) -> int:
    rows = await database.fetch(f"select count(*) as n from {table}")  # noqa: S608  names of the tests
    return int(rows[0]["n"])


async def test_erasing_deletes_every_row_of_the_session_and_of_no_other(
    store: PostgresStore, database: Database, made: Made
) -> None:
    other = Made(str(uuid4()))
    await write_all(store, *all_of(made), *all_of(other))
    for each in (made, other):
        await database.execute(VECTOR, each.run_id, each.session_id)
    logs = Partition(topics.TASK_LOGS)
    await store.begin([("task-logs", 3)])
    await logs.append(made.logs(1, 2), other.logs()).write(store)
    assert [await rows_of(database, table=table) for table in TABLES] == [3, *[2] * 10]
    # What the session decided in the same batch is gone too.
    await logs.append(made.logs(3), erasing(made, 4), made.fence(0), made.logs(5)).write(store)
    assert [await rows_of(database, table=table) for table in TABLES] == [1] * 11
    assert (await SessionLogs(database).head(made.session_id)).erased
    await store.begin([("messages", 4)])
    await Partition(topics.MESSAGES, 4).append(made.message(order=7)).write(store)
    assert await rows_of(database, table="messages") == 1


async def test_a_row_that_raced_with_the_erasure_is_swept_when_every_sink_has_passed(
    store: PostgresStore, database: Database, made: Made
) -> None:
    partition = partition_of(made.session_id, PARTITIONS)
    await store.begin([("task-logs", partition), ("messages", partition)])
    await Partition(topics.TASK_LOGS, partition).append(erasing(made, 1)).write(store)
    # A transaction that did not see the erasure commits after it.
    await database.execute(VECTOR, str(uuid4()), made.session_id)
    kafka = Kafka(end=2)
    sweep = sweep_of(database, kafka)
    await database.execute(
        "insert into sink_offsets select 'embeddings', 'messages', * from unnest($1::int[], $2::int[])",
        [partition, partition + 1],
        [1, 0],
    )
    for sink, topic in (("none", "none"), ("postgres", "task-logs"), ("postgres", "messages")):
        await database.execute(
            "update sink_offsets set next_offset = 2 where (sink, topic, partition) = ($1, $2, $3)",
            sink,
            topic,
            partition,
        )
        await sweep()
        kafka.end = 9  # the topics go on: the ends that were noted first count
        await sweep()
        assert await rows_of(database, table="message_embeddings") == 1
        assert kafka.sent == []
    await database.execute(
        "update sink_offsets set next_offset = 2 where sink = 'embeddings' and next_offset = 1"
    )
    kafka.is_away = True
    with pytest.raises(TransientError):
        await sweep()
    kafka.is_away = False
    await sweep()
    assert await rows_of(database, table="message_embeddings") == 0
    key = made.session_id.encode()
    assert kafka.sent == [("tasks", partition, key, None), ("sessions", partition, key, None)]
    await sweep()
    assert len(kafka.sent) == 2


async def test_two_processes_do_not_sweep_the_same_session(database: Database, made: Made) -> None:
    await database.execute("insert into erased_sessions (session_id) values ($1)", made.session_id)
    one, other = Kafka(), Kafka()
    await sweep_of(database, one)()
    async with database.transaction() as transaction:
        await transaction.fetch("select from erased_sessions for update")
        await sweep_of(database, other)()
    await sweep_of(database, one)()
    assert (len(one.sent), len(other.sent)) == (2, 0)
