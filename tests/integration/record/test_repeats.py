"""What only the sink reads may be driven again at any time: the rows stay as they are."""

from collections.abc import Mapping, Sequence

import pytest

from schemas import examples, topics
from schemas.lists import RunStatus
from schemas.records import AnyRecord
from sinks.postgres.store import PostgresStore
from sinks.postgres.tables import BY_TOPIC
from stores.postgres.pool import Database
from stores.postgres.session_logs import SessionLogs
from tests.fakes.made_session import Made
from tests.fakes.partition import Partition


async def dump(database: Database) -> dict[str, list[str]]:
    """Every row of every recorded table as text."""
    found: dict[str, list[str]] = {}
    for table in (*(each.name for each in BY_TOPIC.values()), "session_heads"):
        rows = await database.fetch(f"select t::text as row from {table} as t order by 1")  # noqa: S608
        found[table] = [row["row"] for row in rows]
    return found


def in_order(made: Made) -> Mapping[topics.TopicSpec, Sequence[AnyRecord]]:
    """Records of each topic in the order in which they came, where more than one says something of a row."""
    task, call = made.task(), made.tool_call()
    return {
        topics.TASK_LOGS: [
            made.logs(1, 2),
            made.fence(0),
            made.logs(3, 1, term=2),
            made.fence(2),
            made.logs(4, 1, term=4),
        ],
        topics.RUNS: [made.run(), made.run(RunStatus.COMPLETED, term=2, version=3)],
        topics.SESSIONS: [made.session(), made.session(version=2, timers='[{"key":"idle"}]')],
        topics.TASKS: [task, task.model_copy(update={"version": 2, "prompt": "newer"})],
        topics.MESSAGES: [made.message("void", term=0), made.message("accepted", term=2)],
        topics.TOOL_CALLS: [call, call.model_copy(update={"term": 2, "name": "newer"})],
        topics.GENERATIONS: [made.generation(), made.generation(response="another")],
        topics.TOOL_RESULTS: [made.tool_result(), made.tool_result('"another"')],
    }


@pytest.mark.parametrize("spec", BY_TOPIC, ids=lambda spec: spec.name)
async def test_a_record_that_is_driven_again_twice_changes_no_row(
    store: PostgresStore, database: Database, made: Made, spec: topics.TopicSpec
) -> None:
    records = in_order(made).get(spec, [examples.ALL[spec.name]])
    partition = Partition(spec).append(*records)
    await store.begin([(spec.name, partition.number)])
    await partition.write(store)
    before = await dump(database)
    assert before[BY_TOPIC[spec].name]
    for _ in range(2):
        for record in records:
            await partition.append(record).write(store)
    assert await dump(database) == before
    assert partition.refused == []


async def test_a_log_with_a_hole_is_whole_when_its_dead_letters_are_driven_again_in_order(
    store: PostgresStore, database: Database, made: Made
) -> None:
    first, lost, stray = made.logs(1, 2), made.logs(3, 1), made.logs(4, 2)
    partition = Partition(topics.TASK_LOGS).append(first, stray)
    await store.begin([(topics.TASK_LOGS.name, partition.number)])
    await partition.write(store)
    assert [refused.message.offset for refused in partition.refused] == [1]
    await partition.append(lost, stray).write(store)
    found = await SessionLogs(database).entries(made.session_id)
    assert [log.sequence for log in found] == [1, 2, 3, 4, 5]
    assert len(partition.refused) == 1
