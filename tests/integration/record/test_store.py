"""The record takes each message once, in order, from its owner only; what it cannot hold is set apart."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest

from schemas import topics
from schemas.lists import DeadLetterReason, RunStatus
from sinks.errors import OvertakenError
from sinks.ports import Batch, Entry, Move, Refused
from sinks.postgres.store import PostgresStore
from sinks.postgres.writers import COPY_FROM_ROWS
from stores.postgres.pool import Database
from stores.postgres.progress import Progress
from stores.postgres.session_logs import Head, SessionLogs
from telemetry import points
from tests.fakes.made_session import ODD_JSON, Made
from tests.fakes.partition import Partition, write_all


async def begun(store: PostgresStore, spec: topics.TopicSpec) -> Partition:
    partition = Partition(spec)
    await store.begin([(spec.name, partition.number)])
    return partition


async def test_a_zombie_writes_nothing_and_moves_nothing(
    store: PostgresStore, database: Database, made: Made
) -> None:
    partition = (await begun(store, topics.MESSAGES)).append(made.message(), made.message(order=2))
    await partition.write(store, 1)
    with pytest.raises(OvertakenError):
        await partition.write(store, from_offset=0)
    assert len(await database.fetch("select from messages")) == 1
    assert await Progress(database).next_offsets([("messages", 3)]) == {("messages", 3): 1}


async def test_one_partition_that_was_moved_stops_the_whole_batch(
    store: PostgresStore, database: Database, made: Made
) -> None:
    await store.begin([("runs", 3)])
    partition = Partition(topics.RUNS, number=4).append(made.run())
    with pytest.raises(OvertakenError):
        await partition.write(store)
    assert await _statuses(database) == []


async def test_repeats_are_dropped_and_the_first_of_an_immutable_record_stays(
    store: PostgresStore, database: Database, made: Made
) -> None:
    partition = await begun(store, topics.GENERATIONS)
    partition.append(made.generation(response="first"), made.generation(response="second"))
    await partition.write(store)
    partition.append(made.generation(response="third"))
    await partition.write(store)
    assert [row["response"] for row in await database.fetch("select response from generations")] == ["first"]


async def test_only_a_greater_version_replaces_a_run(
    store: PostgresStore, database: Database, made: Made
) -> None:
    await write_all(store, made.logs(1, 2))
    partition = await begun(store, topics.RUNS)
    for status, term, version in (
        (RunStatus.RUNNING, 5, 2),
        (RunStatus.COMPLETED, 0, 9),  # an older term: from a process that was overtaken
        (RunStatus.FAILED, 5, 2),  # the same version
    ):
        await partition.append(made.run(status, term=term, version=version)).write(store)
    assert await _statuses(database) == ["running"]
    await partition.append(made.run(RunStatus.FAILED, term=6, version=1)).write(store)
    assert await _statuses(database) == ["failed"]


async def _statuses(database: Database) -> list[str]:
    return [row["status"] for row in await database.fetch("select status from runs")]


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_void_decisions_and_foreign_fences_leave_no_entry(
    store: PostgresStore, database: Database, made: Made, size: int
) -> None:
    partition = await begun(store, topics.TASK_LOGS)
    partition.append(
        made.logs(1, 2),  # 0
        made.fence(0),  # 1: term 2
        made.logs(3, 1),  # 2: void, an older term
        made.fence(0),  # 3: ignored, its predecessor is not in force
        made.logs(3, 2, term=2, payload='{"x": 1}'),  # 4
        made.logs(3, 2, term=2),  # 5: a repeat
        made.fence(2),  # 6: term 7
        made.logs(5, 1, term=2),  # 7: void
        made.logs(5, 1, term=7),  # 8
    )
    while partition.position < len(partition.entries):
        await partition.write(store, size)
    logs = SessionLogs(database)
    assert await logs.head(made.session_id) == Head(7, 5, "h5", erased=False)
    found = await logs.entries(made.session_id)
    assert [(log.sequence, log.term, log.payload) for log in found] == [
        (1, 0, ODD_JSON),
        (2, 0, ODD_JSON),
        (3, 2, '{"x": 1}'),
        (4, 2, '{"x": 1}'),
        (5, 7, ODD_JSON),
    ]
    assert [log.sequence for log in await logs.entries(made.session_id, after=1, upto=3)] == [2, 3]


async def test_entries_come_back_as_they_were_published(
    store: PostgresStore, database: Database, made: Made
) -> None:
    sent = made.logs(1, 2)
    await write_all(store, sent)
    found = await SessionLogs(database).entries(made.session_id)
    assert tuple(log.entry() for log in found) == sent.entries
    assert {(log.occurred_at, log.cause_id, log.trace_id) for log in found} == {
        (sent.occurred_at, sent.cause_id, sent.trace_id)
    }


async def test_a_row_that_the_database_refuses_is_set_apart_and_the_others_are_kept(
    store: PostgresStore, database: Database, made: Made
) -> None:
    partition = await begun(store, topics.MESSAGES)
    partition.append(*(made.message(f"text {order}", order=order) for order in range(1, 12)))
    for bad in (4, 7):
        row = partition.entries[bad].row
        assert row is not None
        row["content"] = "nul \x00 character"
    await partition.write(store)
    assert [(each.message.offset, each.reason) for each in partition.refused] == [
        (4, DeadLetterReason.REFUSED_BY_STORE),
        (7, DeadLetterReason.REFUSED_BY_STORE),
    ]
    rows = await database.fetch("select sequence_order from messages order by 1")
    assert [row["sequence_order"] for row in rows] == [1, 2, 3, 4, 6, 7, 9, 10, 11]
    assert await Progress(database).next_offsets([("messages", 3)]) == {("messages", 3): 11}


async def test_a_log_entry_that_the_database_refuses_sets_its_session_aside_alone(
    store: PostgresStore, database: Database, made: Made
) -> None:
    other = Made(made.run_id)
    partition = await begun(store, topics.TASK_LOGS)
    partition.append(
        made.fence(0), other.logs(1, 1), made.logs(1, 1, term=1), other.logs(2, 1), made.logs(2, 1, term=1)
    )
    row = partition.entries[1].row
    assert row is not None
    row["entries"][0]["hash"] = "\x00"
    await partition.write(store)
    assert [each.message.offset for each in partition.refused] == [1, 3]
    assert "entry 2 does not follow entry 0" in partition.refused[1].sentence
    assert await SessionLogs(database).head(made.session_id) == Head(1, 2, "h2", erased=False)
    assert await SessionLogs(database).head(other.session_id) == Head(0, 0, "", erased=False)


async def test_a_log_entry_of_no_date_is_set_aside(
    store: PostgresStore, database: Database, made: Made
) -> None:
    partition = (await begun(store, topics.TASK_LOGS)).append(made.fence(0), made.logs(1, 1, term=1))
    row = partition.entries[1].row
    assert row is not None
    row["occurred_at"] = 2**62
    await partition.write(store)
    assert [each.message.offset for each in partition.refused] == [1]
    assert await SessionLogs(database).head(made.session_id) == Head(1, 0, "", erased=False)


@pytest.mark.parametrize("count", [5, COPY_FROM_ROWS + 1])
@pytest.mark.parametrize(
    "bad", [{"content": "\x00"}, {"content": "\ud800"}, {"run_id": "no uuid"}, {"sequence_order": 2**40}]
)
async def test_a_bad_row_is_set_apart_whichever_way_the_others_take(
    store: PostgresStore, database: Database, made: Made, count: int, bad: dict[str, object]
) -> None:
    partition = await begun(store, topics.MESSAGES)
    one = made.message("text")
    partition.append(*([one] * count))
    for number, entry in enumerate(partition.entries):
        assert entry.row is not None
        entry.row.update({"id": str(UUID(int=number))} | (bad if number == count - 2 else {}))
    await partition.write(store)
    assert [each.message.offset for each in partition.refused] == [count - 2]
    assert len(await database.fetch("select from messages")) == count - 1


async def test_many_rows_keep_what_few_rows_keep(
    store: PostgresStore, database: Database, made: Made
) -> None:
    partition = await begun(store, topics.RUNS)
    partition.append(*([made.run()] * (2 * COPY_FROM_ROWS + 2)))
    for number, entry in enumerate(partition.entries):
        assert entry.row is not None
        entry.row["id"] = str(UUID(int=number // 2))
        entry.row["version"] = 1 + number % 2
    few, many = partition.entries[:4], partition.entries
    for entries in (few, many, few, [*many, *many]):
        await write_entries(store, partition, entries)
    rows = await database.fetch("select id, version, input, created_at from runs order by id")
    assert [(row["id"].int, row["version"]) for row in rows] == [(n, 2) for n in range(COPY_FROM_ROWS + 1)]
    assert {(row["input"], row["created_at"]) for row in rows} == {(made.run().input, made.run().created_at)}


async def write_entries(store: PostgresStore, partition: Partition, entries: list[Entry]) -> None:
    """Write entries as if they came next in the partition."""
    move = Move(partition.number, partition.position, partition.position + 1)
    await store.write([Batch(partition.spec, partition.spec.name, entries, [move])], no_refusal)
    partition.position += 1


async def no_refusal(refused: Sequence[Refused]) -> None:
    assert not refused


async def test_rows_of_several_topics_and_their_offsets_are_written_together_or_not_at_all(
    store: PostgresStore, database: Database, made: Made
) -> None:
    await write_all(store, made.logs())
    places = [("messages", 3), ("runs", 3)]
    await store.begin(places)
    messages, runs = (
        Partition(topics.MESSAGES).append(made.message()),
        Partition(topics.RUNS).append(made.run()),
    )
    batches = [
        Batch(each.spec, each.spec.name, each.entries, [Move(3, first, 1)])
        for each, first in ((messages, 0), (runs, 7))
    ]
    with pytest.raises(OvertakenError, match="1 of 2"):
        await store.write(batches, no_refusal)
    assert await database.fetch("select from messages") == []
    await store.write([batches[0], replace(batches[1], moves=[Move(3, 0, 1)])], no_refusal)
    assert await Progress(database).next_offsets(places) == dict.fromkeys(places, 1)
    assert await _statuses(database) == ["running"]


@pytest.mark.parametrize("is_refused", [False, True])
async def test_a_batch_passes_its_named_points_before_and_after_the_commit(
    store: PostgresStore, database: Database, made: Made, monkeypatch: pytest.MonkeyPatch, is_refused: bool
) -> None:
    partition = (await begun(store, topics.MESSAGES)).append(made.message(), made.message(order=2))
    row = partition.entries[1].row
    assert row is not None
    row["content"] = "nul \x00 character" if is_refused else "good"
    seen: list[tuple[str, int]] = []

    async def note(name: str) -> None:
        seen.append((name, len(await database.fetch("select from messages"))))

    monkeypatch.setattr(points, "ENABLED", note)
    await partition.write(store)
    assert seen == [("sink.written", 0), ("sink.committed", 1 if is_refused else 2)]


async def test_nothing_of_an_erased_session_is_written(
    store: PostgresStore, database: Database, made: Made
) -> None:
    await database.execute("insert into erased_sessions (session_id) values ($1)", made.session_id)
    await write_all(
        store, made.logs(), made.task(), made.session(), made.run(), made.message(), made.generation(),
        made.tool_call(), made.tool_result(),
    )  # fmt: skip
    for table in ("task_logs", "session_heads", "tasks", "sessions", "runs", "messages", "generations",
                  "tool_calls", "tool_results"):  # fmt: skip
        assert await database.fetch(f"select from {table}") == []
    assert (await SessionLogs(database).head(made.session_id)).erased


async def test_an_overtaken_message_gives_way_to_the_accepted_one(
    store: PostgresStore, database: Database, made: Made
) -> None:
    await write_all(
        store,
        *(made.logs(1, 1), made.fence(0), made.logs(2, 1, term=2)),
        *(made.message("kept"), made.message("void", order=2, sequence=2)),
        *(made.message("accepted", order=2, term=2, sequence=2), made.message("void", order=3, sequence=2)),
    )
    rows = await database.fetch("select content from accepted_messages order by sequence_order")
    assert [row["content"] for row in rows] == ["kept", "accepted"]


async def test_weeks_are_made_ahead_and_once(store: PostgresStore, database: Database) -> None:
    await store.keep_up()
    await PostgresStore(database, weeks_ahead=2).keep_up()
    rows = await database.fetch("select from pg_inherits where inhparent = 'task_logs'::regclass")
    assert len(rows) == 3


async def test_sinks_that_start_at_once_make_each_week_once(database: Database) -> None:
    sinks = [PostgresStore(database, weeks_ahead=20) for _ in range(4)]
    await asyncio.gather(*(sink.keep_up() for sink in sinks))
    rows = await database.fetch("select from pg_inherits where inhparent = 'task_logs'::regclass")
    assert len(rows) == 21
