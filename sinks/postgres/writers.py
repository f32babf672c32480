"""How one topic's rows get into the record, inside an open transaction."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol

from schemas.topics import TASK_LOGS as TASK_LOGS_TOPIC
from schemas.topics import TopicSpec
from sinks.batch import winners
from sinks.ports import Entry, Row
from sinks.postgres.judge import Decision, Head, judge
from sinks.postgres.table import Table
from sinks.postgres.tables import BY_TOPIC, TASK_LOGS
from stores.postgres.erased import ErasedSessions
from stores.postgres.errors import RefusedError
from stores.postgres.pool import Transaction
from stores.postgres.statements import statements

COPY_FROM_ROWS = 400
"""From so many rows on, COPY into a temporary table costs less than an array of rows as argument, although it
takes three more statements."""


class Writer(Protocol):
    """Writes the rows of one topic."""

    async def write(self, transaction: Transaction, entries: Sequence[Entry]) -> int:
        """Write the rows; return how many became rows of the record.

        Raises:
            RefusedError: the database refuses one of them.
            TransientError: it cannot answer now.

        """
        ...


class TableWriter:
    """One INSERT for all rows: one row per key, sorted by key."""

    def __init__(self, table: Table, *, copy_from_rows: int = COPY_FROM_ROWS) -> None:
        self._table = table
        self._copy_from_rows = copy_from_rows
        self._values: Callable[[Row], tuple[Any, ...]] = itemgetter(*table.columns)
        self._key: Callable[[Row], str] = itemgetter(table.key)
        self._version: Callable[[Row], tuple[int, int]] | None = (
            itemgetter(*table.version) if table.version else None
        )

    async def write(self, transaction: Transaction, entries: Sequence[Entry]) -> int:
        """Write the rows. Tombstones change nothing: the record is not a compacted topic."""
        rows = winners(
            (entry.row for entry in entries if entry.row is not None),
            rule=self._table.rule,
            key=self._key,
            version=self._version,
        )
        return await insert(transaction, self._table, list(map(self._values, rows)), self._copy_from_rows)


class TaskLogsWriter:
    """Log entries of accepted decisions, and the heads of their sessions, in the order of the topic."""

    _OF_ENTRY = frozenset(
        {
            "id",
            "sequence",
            "action",
            "run_id",
            "tool_name",
            "tool_call_id",
            "success",
            "payload",
            "previous_hash",
            "hash",
        }
    )

    def __init__(self) -> None:
        self._sql = statements("task_logs")
        self._erased = ErasedSessions()
        own = [name for name in TASK_LOGS.columns if name in self._OF_ENTRY]
        shared = [name for name in TASK_LOGS.columns if name not in self._OF_ENTRY]
        if [*own, *shared] != list(TASK_LOGS.columns):
            message = "the columns of an entry come before those of its decision"
            raise ValueError(message)
        self._own: Callable[[Mapping[str, Any]], tuple[Any, ...]] = itemgetter(*own)
        self._shared: Callable[[Row], tuple[Any, ...]] = itemgetter(*shared)

    async def write(self, transaction: Transaction, entries: Sequence[Entry]) -> int:
        """Judge the decisions from the stored heads on, write what is accepted, move the heads.

        Raises:
            RefusedError: also for a stray decision: set apart like a row that the database refuses.

        """
        sound = [entry for entry in entries if entry.row]
        records = [entry.row for entry in sound if entry.row]
        places = {row["session_id"]: entry.message.partition for entry in sound if (row := entry.row)}
        heads, erased = await self._heads(transaction, sorted(places))
        verdict = judge(heads, [decision_of(entry) for entry in sound], erased=erased)
        if verdict.strays:
            _, why = verdict.strays[0]
            raise RefusedError(why)
        shared = list(map(self._shared, records))
        rows = [(*self._own(part), *shared[index]) for index, part in verdict.accepted]
        written = await insert(transaction, TASK_LOGS, rows, COPY_FROM_ROWS)
        if verdict.heads:
            tasks = {row["session_id"]: row["task_id"] for row in records}
            await self._store(transaction, verdict.heads, tasks, places)
        if verdict.erased:
            await self._erased.erase(transaction, verdict.erased)
        return written

    async def _heads(
        self, transaction: Transaction, sessions: list[str]
    ) -> tuple[dict[str, Head], frozenset[str]]:
        rows = await transaction.fetch(self._sql["heads_of"], sessions)
        heads = {
            str(row["session_id"]): Head(
                row["fence"],
                row["sequence"],
                row["hash"],
                None if row["cause_id"] is None else str(row["cause_id"]),
            )
            for row in rows
        }
        return heads, frozenset(str(row["session_id"]) for row in rows if row["erased"])

    async def _store(
        self, transaction: Transaction, heads: dict[str, Head], tasks: dict[str, str], places: dict[str, int]
    ) -> None:
        sessions = sorted(heads)
        await transaction.execute(
            self._sql["set_heads"],
            sessions,
            [tasks[session] for session in sessions],
            [places[session] for session in sessions],
            [heads[session].fence for session in sessions],
            [heads[session].sequence for session in sessions],
            [heads[session].hash for session in sessions],
            [heads[session].cause_id for session in sessions],
        )


async def insert(
    transaction: Transaction, table: Table, rows: Sequence[tuple[Any, ...]], copy_from_rows: int
) -> int:
    """Insert rows whose values are in the order of the table's columns; return how many were written."""
    if not rows:
        return 0
    if len(rows) < copy_from_rows:
        return await transaction.execute(table.insert, rows)
    await transaction.execute(table.stage)
    await transaction.execute(table.empty_stage)
    await transaction.copy(table.staging, tuple(table.columns), rows)
    return await transaction.execute(table.insert_staged)


def decision_of(entry: Entry) -> Decision:
    """Return an entry of task-logs as the judge takes it."""
    row = entry.row or {}
    return Decision(
        session_id=row["session_id"],
        partition=entry.message.partition,
        offset=entry.message.offset,
        term=row["term"],
        fence_previous=row["fence_previous"],
        cause_id=row["cause_id"],
        entries=row["entries"],
    )


def writers() -> dict[TopicSpec, Writer]:
    """Return the writer of every recorded topic."""
    return {
        spec: TaskLogsWriter() if spec is TASK_LOGS_TOPIC else TableWriter(table)
        for spec, table in BY_TOPIC.items()
    }
