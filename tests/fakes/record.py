"""The record in memory, fed from topics in memory by the sink's rules, as far as it has been told to read."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import orjson

from schemas.errors import TransientError
from schemas.lists import Action
from schemas.records import Generation, Record, Run, Session, Task, TaskLogs, ToolCall
from schemas.topics import BY_RECORD, TASK_LOGS
from stores.postgres.session_logs import Head, StoredLog
from stores.postgres.timers import RecordedTimer
from tests.fakes.topics import FakeTopics

_CURRENT_STATE = (Run, Task, Session)


class FakeRecord:
    """Postgres and its sink, which reads `batch` messages of a partition when it is asked for its place."""

    def __init__(self, topics: FakeTopics) -> None:
        self._topics = topics
        self.next: defaultdict[tuple[str, int], int] = defaultdict(int)
        self.fences: defaultdict[str, int] = defaultdict(int)
        self.logs: defaultdict[str, list[StoredLog]] = defaultdict(list)
        self.rows: dict[tuple[type[Record], str], Record] = {}
        self.void = 0
        self.erased: set[str] = set()
        self.folded = 0
        self.is_away = False
        self.batch = 1 << 30

    def catch_up(self, topic: str, partition: int) -> None:
        """Read at most one batch of a partition, record by record."""
        kept = self._topics.read(topic, partition)
        first = self.next[topic, partition]
        for one in kept[first : first + self.batch]:
            if isinstance(one.record, TaskLogs):
                self._take_logs(one.record, one.message.offset)
            else:
                self._take(one.record)
            self.next[topic, partition] += 1

    def catch_up_all(self) -> None:
        """Read every topic to its end."""
        for spec in BY_RECORD.values():
            for partition in range(self._topics.partitions):
                topic = self._topics.names.full(spec)
                while self.next[topic, partition] < len(self._topics.read(topic, partition)):
                    self.catch_up(topic, partition)

    def _take_logs(self, logs: TaskLogs, offset: int) -> None:
        if logs.session_id in self.erased:
            return
        fence = self.fences[logs.session_id]
        if logs.is_fence:
            if logs.fence_previous == fence:
                self.fences[logs.session_id] = offset + 1
            return
        if logs.term != fence:
            self.void += 1
            return
        kept = self.logs[logs.session_id]
        for entry in logs.entries:
            if not kept or entry.sequence > kept[-1].sequence:
                kept.append(row_of(logs, entry.sequence))
                if entry.action is Action.SESSION_ERASED:
                    self._erase(logs.session_id)

    def _erase(self, session_id: str) -> None:
        self.erased.add(session_id)
        self.logs.pop(session_id, None)
        self.fences.pop(session_id, None)
        self.rows = {
            identity: row
            for identity, row in self.rows.items()
            if session_id not in (identity[1], getattr(row, "session_id", None))
        }

    def _take(self, record: Record) -> None:
        if self.erased & {str(getattr(record, "id", "")), str(getattr(record, "session_id", ""))}:
            return
        identity = (type(record), str(getattr(record, "id", "")))
        found = self.rows.get(identity)
        if isinstance(record, _CURRENT_STATE):
            if not isinstance(found, _CURRENT_STATE) or (found.term, found.version) < (
                record.term,
                record.version,
            ):
                self.rows[identity] = record
        elif found is None:
            self.rows[identity] = record

    async def next_offsets(self, pairs: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        self._answer()
        for topic, partition in pairs:
            self.catch_up(topic, partition)
        return {pair: self.next[pair] for pair in pairs}

    async def head(self, session_id: str) -> Head:
        self._answer()
        kept = self.logs[session_id]
        last = kept[-1] if kept else None
        return Head(
            self.fences[session_id],
            last.sequence if last else 0,
            last.hash if last else "",
            erased=session_id in self.erased,
        )

    async def entries(self, session_id: str, *, after: int = 0, upto: int | None = None) -> list[StoredLog]:
        self._answer()
        return [
            row
            for row in self.logs[session_id]
            if row.sequence > after and (upto is None or row.sequence <= upto)
        ]

    async def since_checkpoint(self, session_id: str, *, upto: int, context_format: int) -> list[StoredLog]:
        rows = await self.entries(session_id, upto=upto)
        checkpoints = [
            row.sequence
            for row in rows
            if row.action is Action.CHECKPOINT and orjson.loads(row.payload)["format"] == context_format
        ]
        first = max(checkpoints, default=0)
        self.folded += len(rows) if not first else upto - first + 1
        return [row for row in rows if row.sequence >= first]

    async def of_session(self, session_id: str) -> frozenset[str]:
        self._answer()
        kinds = (Generation, ToolCall)
        return frozenset(
            row.id for row in self.rows.values() if isinstance(row, kinds) and row.session_id == session_id
        )

    async def is_known(self, session_id: str, run_id: str) -> bool:
        self._answer()
        taken = (Action.MESSAGE_RECEIVED, Action.MESSAGE_REJECTED)
        return any(row.run_id == run_id and row.action in taken for row in self.logs[session_id])

    async def is_decided(self, session_id: str, event_id: str) -> bool:
        self._answer()
        return any(row.cause_id == event_id for row in self.logs[session_id])

    async def of_partition(
        self, partition: int, *, after: str | None = None, limit: int = 1000
    ) -> tuple[RecordedTimer, ...]:
        self._answer()
        sessions = sorted(
            (row for row in self.rows.values() if isinstance(row, Session) and row.partition == partition),
            key=lambda row: row.id,
        )
        page = [row for row in sessions if row.timers != "[]" and row.id > (after or "")][:limit]
        return tuple(
            RecordedTimer(row.id, timer["key"], timer["kind"], timer["due_ms"])
            for row in page
            for timer in orjson.loads(row.timers)
        )

    def accepted(self, session_id: str) -> list[TaskLogs]:
        """The valid decisions of a session over the whole topic, by the readers' rule."""
        decisions: list[TaskLogs] = []
        fence, sequence = 0, 0
        for one in self._topics.of(TASK_LOGS):
            logs = one.record
            if not isinstance(logs, TaskLogs) or logs.session_id != session_id:
                continue
            if logs.is_fence:
                fence = one.message.offset + 1 if logs.fence_previous == fence else fence
            elif logs.term == fence and logs.entries[0].sequence > sequence:
                decisions.append(logs)
                sequence = logs.entries[-1].sequence
        return decisions

    def _answer(self) -> None:
        if self.is_away:
            message = "the record is away"
            raise TransientError(message)


def is_gapless(rows: Sequence[StoredLog]) -> bool:
    """Whether entries are numbered from 1 without gaps and each names the hash of the one before."""
    if not rows:
        return True
    return (rows[0].sequence, rows[0].previous_hash) == (1, "") and all(
        (second.sequence, second.previous_hash) == (first.sequence + 1, first.hash)
        for first, second in pairwise(rows)
    )


def row_of(logs: TaskLogs, sequence: int) -> StoredLog:
    entry = next(entry for entry in logs.entries if entry.sequence == sequence)
    return StoredLog(
        **{name: getattr(entry, name) for name in type(entry).model_fields},
        session_id=logs.session_id,
        task_id=logs.task_id,
        user_id=logs.user_id,
        term=logs.term,
        cause_id=logs.cause_id,
        cause_topic=logs.cause_topic,
        cause_partition=logs.cause_partition,
        cause_offset=logs.cause_offset,
        trace_id=logs.trace_id,
        occurred_at=logs.occurred_at,
    )
