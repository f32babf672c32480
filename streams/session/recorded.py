"""Rows of the record put together again: the decisions that they were published as."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from schemas.records import TaskLogs
from streams.session.ports import StoredLog


def decisions_of(rows: Iterable[StoredLog]) -> Iterator[TaskLogs]:
    """Yield the decisions of one session's `rows`, which are in sequence order."""
    for _, of_one in groupby(rows, lambda row: (row.term, row.cause_id)):
        yield _decision(list(of_one))


def _decision(rows: Sequence[StoredLog]) -> TaskLogs:
    first = rows[0]
    # Columns of the record: they were validated when they were published.
    return TaskLogs.model_construct(
        session_id=first.session_id,
        task_id=first.task_id,
        user_id=first.user_id,
        term=first.term,
        fence_previous=None,
        cause_id=first.cause_id,
        cause_topic=first.cause_topic,
        cause_partition=first.cause_partition,
        cause_offset=first.cause_offset,
        trace_id=first.trace_id,
        occurred_at=first.occurred_at,
        entries=tuple(row.entry() for row in rows),
    )
