"""The record as a sink's store: rows and offsets in one transaction, refused rows set apart."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from bus.message import Place
from schemas.lists import DeadLetterReason
from schemas.topics import TASK_LOGS, TopicSpec
from sinks.offsets import move_offsets
from sinks.ports import Batch, Entry, OnRefused, Refused
from sinks.postgres.tables import BY_TOPIC
from sinks.postgres.weeks import weeks_ahead, weeks_of
from sinks.postgres.writers import Writer, writers
from stores.postgres.errors import RefusedError
from stores.postgres.pool import Database, Transaction
from stores.postgres.progress import POSTGRES_SINK, Progress
from stores.postgres.statements import statements
from telemetry.metrics import SINK_BATCH_SECONDS, SINK_ROWS
from telemetry.points import point


class PostgresStore:
    """Writes batches of any recorded topic exactly once."""

    def __init__(self, database: Database, *, weeks_ahead: int) -> None:
        self._database = database
        self._progress = Progress(database)
        self._weeks_ahead = weeks_ahead
        self._weeks: set[date] = set()
        self._writers: dict[TopicSpec, Writer] = writers()
        self._make_week = statements("task_logs")["make_week"]

    async def begin(self, places: Sequence[Place]) -> dict[Place, int]:
        """Return the next offset of each partition; a partition met for the first time begins at 0."""
        for table in BY_TOPIC.values():
            await self._database.execute(table.make_row_type)
        return await self._progress.begin(places)

    async def keep_up(self) -> None:
        """Make the log's partitions of this week and the following ones."""
        await self._make_weeks(weeks_ahead(datetime.now(UTC), self._weeks_ahead))

    async def write(self, batches: Sequence[Batch], refuse: OnRefused) -> None:
        """Write the rows of some topics and move their offsets, all or nothing."""
        for batch in batches:
            if batch.spec is TASK_LOGS:
                # Older weeks are made on demand: a sink that fills a new database from old topics meets them.
                await self._make_weeks(
                    weeks_of(entry.row["occurred_at"] for entry in batch.entries if entry.row)
                )
        with SINK_BATCH_SECONDS.labels(POSTGRES_SINK).time():
            try:
                written = await self._write_all(batches)
            except RefusedError:
                written = await self._write_without_refused(batches, refuse)
        await point("sink.committed")
        for batch, count in zip(batches, written, strict=True):
            SINK_ROWS.labels(POSTGRES_SINK, batch.spec.name).inc(count)

    async def _write_all(self, batches: Sequence[Batch]) -> list[int]:
        async with self._database.transaction() as transaction:
            await move_offsets(transaction, POSTGRES_SINK, batches)
            written = [await self._writers[batch.spec].write(transaction, batch.entries) for batch in batches]
            await point("sink.written")
        return written

    async def _write_without_refused(self, batches: Sequence[Batch], refuse: OnRefused) -> list[int]:
        async with self._database.transaction() as transaction:
            await move_offsets(transaction, POSTGRES_SINK, batches)
            refused: list[Refused] = []
            written = [
                await write_halving(transaction, self._writers[batch.spec], batch.entries, refused)
                for batch in batches
            ]
            await refuse(refused)
            await point("sink.written")
        return written

    async def _make_weeks(self, wanted: frozenset[date]) -> None:
        for week in sorted(wanted - self._weeks):
            await self._database.execute(self._make_week, week)
            self._weeks.add(week)


async def write_halving(
    transaction: Transaction, writer: Writer, entries: Sequence[Entry], refused: list[Refused]
) -> int:
    """Write in order; halve what the database refuses until each bad entry stands alone in `refused`."""
    try:
        async with transaction.savepoint():
            return await writer.write(transaction, entries)
    except RefusedError as error:
        if len(entries) == 1:
            reason = DeadLetterReason.REFUSED_BY_STORE
            refused.append(Refused(entries[0].message, reason, error.message))
            return 0
    middle = len(entries) // 2
    first = await write_halving(transaction, writer, entries[:middle], refused)
    return first + await write_halving(transaction, writer, entries[middle:], refused)
