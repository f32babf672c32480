"""How one topic's rows get into the record, inside an open transaction."""

from collections.abc import Sequence
from typing import Protocol

from schemas.topics import TASK_LOGS as TASK_LOGS_TOPIC
from schemas.topics import TopicSpec
from sinks.batch import columns_of, winners
from sinks.ports import Entry, Row
from sinks.postgres.judge import Decision, Head, judge
from sinks.postgres.table import Table
from sinks.postgres.tables import BY_TOPIC, TASK_LOGS
from stores.postgres.pool import Transaction
from stores.postgres.statements import statements


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

    def __init__(self, table: Table) -> None:
        self._table = table

    async def write(self, transaction: Transaction, entries: Sequence[Entry]) -> int:
        """Write the rows. Tombstones change nothing: the record is not a compacted topic."""
        table, names = self._table, self._table.version

        def version(row: Row) -> tuple[int, int]:
            return (row[names[0]], row[names[1]]) if names else (0, 0)

        def key(row: Row) -> str:
            return str(row[table.key])

        rows = winners(
            (entry.row for entry in entries if entry.row is not None),
            rule=table.rule,
            key=key,
            version=version,
        )
        if not rows:
            return 0
        return await transaction.execute(table.insert, *columns_of(rows, table.columns))


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

    async def write(self, transaction: Transaction, entries: Sequence[Entry]) -> int:
        """Judge the decisions from the stored heads on, write what is accepted, move the heads."""
        decisions = [_decision_of(entry.message.offset, entry.row) for entry in entries if entry.row]
        records = [entry.row for entry in entries if entry.row]
        places = {row["session_id"]: entry.message.partition for entry in entries if (row := entry.row)}
        heads, erased = await self._heads(transaction, sorted(places))
        verdict = judge(heads, decisions, erased=erased)
        written = 0
        if verdict.accepted:
            columns = [
                [
                    (part if name in self._OF_ENTRY else records[index])[name]
                    for index, part in verdict.accepted
                ]
                for name in TASK_LOGS.columns
            ]
            written = await transaction.execute(TASK_LOGS.insert, *columns)
        if verdict.heads:
            tasks = {row["session_id"]: row["task_id"] for row in records}
            await self._store(transaction, verdict.heads, tasks, places)
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


def _decision_of(offset: int, row: Row) -> Decision:
    return Decision(
        session_id=row["session_id"],
        offset=offset,
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
