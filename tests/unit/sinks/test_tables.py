"""Tables have the columns of their topics' records, and migrations have the same tables."""

from pathlib import Path

import pytest

import stores.postgres
from schemas.records import LogEntry, TaskLogs
from schemas.topics import ALL_TOPICS, TASK_LOGS, TopicSpec
from sinks.postgres.table import Table
from sinks.postgres.tables import BY_TOPIC

NOT_RECORDED = {"user-messages", "session-commands", "timers", "generation-requests", "dead-letters"}
SCHEMA = (Path(stores.postgres.__file__).parent / "schema.sql").read_text()


def written_columns(table: str) -> set[str]:
    """The columns that are written; what the server makes of others by itself is no part of a record."""
    body = SCHEMA.partition(f"create table {table} (\n")[2].partition("\n)")[0]
    return {
        line.split()[0].strip('"')
        for line in body.splitlines()
        if (line.strip()[0].islower() or '"' in line) and " generated always as " not in line
    }


def test_every_topic_is_recorded_but_inputs_requests_and_dead_letters() -> None:
    assert {spec.name for spec in BY_TOPIC} == {spec.name for spec in ALL_TOPICS} - NOT_RECORDED


@pytest.mark.parametrize(("spec", "table"), BY_TOPIC.items(), ids=lambda each: each.name)
def test_columns_are_the_fields_of_the_record(spec: TopicSpec, table: Table) -> None:
    assert spec.record is not None
    fields = set(spec.record.model_fields)
    if spec is TASK_LOGS:
        fields = (set(TaskLogs.model_fields) | set(LogEntry.model_fields)) - {"entries", "fence_previous"}
    assert set(table.columns) == fields == written_columns(table.name)
