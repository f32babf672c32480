"""The record: tables in memory behind the store port of the sink and the questions that steps ask."""

from collections.abc import Sequence

from bus.message import Place
from schemas.lists import DeadLetterReason
from schemas.records import Generation, Record, TaskLogs, ToolResult
from schemas.topics import TASK_LOGS, TopicSpec
from sinks.batch import winners
from sinks.errors import OvertakenError
from sinks.ports import Batch, Entry, OnRefused, Refused
from sinks.postgres.judge import Head, judge
from sinks.postgres.tables import BY_TOPIC
from sinks.postgres.writers import decision_of
from tests.fakes.record import FakeRecord, row_of
from tests.simulation.topics import Fetched, Topics


class SimulatedRecord(FakeRecord):
    """PostgreSQL. It holds what the sink has written, judged by the sink's own rules; each call is atomic."""

    def __init__(self, topics: Topics) -> None:
        super().__init__(topics)
        self.claims: dict[str, str] = {}
        self.heads: dict[str, Head] = {}

    def catch_up(self, topic: str, partition: int) -> None:
        """Read nothing: the sink does."""

    async def begin(self, places: Sequence[Place]) -> dict[Place, int]:
        return {place: self.next[place] for place in places}

    async def keep_up(self) -> None:
        """Have no partitions by time."""

    async def write(self, batches: Sequence[Batch], refuse: OnRefused) -> None:
        self.move(batches)
        for batch in batches:
            if batch.spec is TASK_LOGS:
                await refuse(self.write_logs(batch.entries))
            else:
                self.write_rows(batch.spec, batch.entries)

    def move(self, batches: Sequence[Batch]) -> None:
        """Move the offsets, all or none. Raises OvertakenError."""
        moves = [(batch.topic, move) for batch in batches for move in batch.moves]
        if any(self.next[topic, move.partition] != move.first for topic, move in moves):
            message = "a partition was moved by another process"
            raise OvertakenError(message)
        for topic, move in moves:
            self.next[topic, move.partition] = move.next

    def write_logs(self, entries: Sequence[Entry]) -> list[Refused]:
        """Write what the judge accepts; return what does not continue its session's log."""
        sound = [entry for entry in entries if entry.row]
        verdict = judge(self.heads, [decision_of(entry) for entry in sound], erased=frozenset(self.erased))
        for index, part in verdict.accepted:
            logs = _record(sound[index])
            assert isinstance(logs, TaskLogs)
            rows = self.logs[logs.session_id]
            if all(row.sequence != part["sequence"] for row in rows):
                rows.append(row_of(logs, part["sequence"]))
        for session_id, head in verdict.heads.items():
            self.heads[session_id] = head
            self.fences[session_id] = head.fence
        for session_id in verdict.erased:
            self.heads.pop(session_id, None)
            self._erase(session_id)
        return [
            Refused(sound[index].message, DeadLetterReason.REFUSED_BY_STORE, why)
            for index, why in verdict.strays
        ]

    def write_rows(self, spec: TopicSpec, entries: Sequence[Entry]) -> None:
        """Write one row per key, where the table's rule lets it win."""
        table = BY_TOPIC[spec]
        names = table.version

        def version(entry: Entry) -> tuple[int, int]:
            row = entry.row or {}
            return (row[names[0]], row[names[1]]) if names else (0, 0)

        def key(entry: Entry) -> str:
            return str((entry.row or {})[table.key])

        chosen = winners(
            [entry for entry in entries if entry.row and not self._is_of_erased(entry)],
            rule=table.rule,
            key=key,
            version=version,
        )
        for entry in chosen:
            record = _record(entry)
            identity = (type(record), key(entry))
            if self.wins(self.rows.get(identity), record, names):
                self.rows[identity] = record

    def _is_of_erased(self, entry: Entry) -> bool:
        row = entry.row or {}
        return bool(self.erased & {str(row.get("id")), str(row.get("session_id"))})

    def wins(self, found: Record | None, new: Record, names: tuple[str, str] | None) -> bool:
        """Return whether a row takes the place of the one that is there."""
        if found is None or names is None:
            return found is None
        return tuple(getattr(found, name) for name in names) < tuple(getattr(new, name) for name in names)

    async def generation(self, generation_id: str) -> Generation | None:
        found = self.rows.get((Generation, generation_id))
        return found if isinstance(found, Generation) else None

    async def tool_result(self, tool_call_id: str) -> ToolResult | None:
        return next(
            (
                row
                for row in self.rows.values()
                if isinstance(row, ToolResult) and row.tool_call_id == tool_call_id
            ),
            None,
        )

    async def is_erased(self, session_id: str) -> bool:
        return session_id in self.erased

    async def claim(self, step_id: str, token: str) -> bool:
        return self.claims.setdefault(step_id, token) == token


def _record(entry: Entry) -> Record:
    message = entry.message
    assert isinstance(message, Fetched)
    return message.kept.record
