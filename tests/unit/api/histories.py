"""Live feeds of generated histories: the stages of real decisions, with words between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from hypothesis import strategies as st

from api.streams.ids import place_of
from schemas.records import LogEntry, TaskLogs
from stores.postgres.session_logs import StoredLog
from stores.redis.feed import FeedItem
from stores.redis.feed_watch import FeedRecord
from streams.session.feed import stages
from tests.unit.streams.session.simulated import Simulated
from tests.unit.streams.session.test_core_properties import HISTORIES, Move, walk

WORDS = st.lists(st.integers(0, 3), max_size=40)
"""How many pieces of text stand behind each decision."""


@dataclass(frozen=True)
class History:
    """A session's log, and its feed as Redis has it."""

    session: Simulated
    feed: tuple[FeedRecord, ...]

    @property
    def logs(self) -> list[StoredLog]:
        """The log as the record has it."""
        return [stored(logs, entry) for logs in self.session.decisions for entry in logs.entries]


def history(moves: Sequence[Move], words: Sequence[int]) -> History:
    """Return what a list of moves comes to."""
    session = walk(list(moves))
    session.drain()
    feed: list[FeedRecord] = []
    for number, logs in enumerate(session.decisions):
        at = f"{1000 + number // 2}-{number % 2 * 10}"
        shown = stages(logs)
        if shown:
            feed.append(_record(at, [(stage.kind, stage.data) for stage in shown]))
        if feed:
            count = words[number % len(words)] if words else 0
            feed += [_words(at, number, piece) for piece in range(count)]
    return History(session, tuple(feed))


HISTORY = st.builds(history, HISTORIES, WORDS)


def items(feed: Sequence[FeedRecord]) -> list[FeedItem]:
    """Return the entries one by one."""
    return [item for record in feed for item in record.items]


def stored(logs: TaskLogs, entry: LogEntry) -> StoredLog:
    """Return an entry as the record has it."""
    return StoredLog(
        id=entry.id,
        session_id=logs.session_id,
        task_id=logs.task_id,
        user_id=logs.user_id,
        sequence=entry.sequence,
        action=entry.action,
        run_id=entry.run_id,
        tool_name=entry.tool_name,
        tool_call_id=entry.tool_call_id,
        success=entry.success,
        payload=entry.payload,
        previous_hash=entry.previous_hash,
        hash=entry.hash,
        term=logs.term,
        cause_id=logs.cause_id,
        cause_topic=logs.cause_topic,
        cause_partition=logs.cause_partition,
        cause_offset=logs.cause_offset,
        trace_id=logs.trace_id,
        occurred_at=logs.occurred_at,
    )


def _words(at: str, number: int, piece: int) -> FeedRecord:
    ms, first = place_of(at)
    data = {
        "run_id": "r",
        "generation_id": f"g{number}",
        "attempt_id": f"a{piece // 2}",
        "n": piece % 2,
        "text": f"{number}.{piece} ",
    }
    return _record(f"{ms}-{first + 1 + piece}", [("delta", orjson.dumps(data))])


def _record(at: str, entries: Sequence[tuple[str, bytes]]) -> FeedRecord:
    last = len(entries) - 1
    return FeedRecord(
        at,
        tuple(
            FeedItem(at if number == last else f"{at}:{number}", kind, data)
            for number, (kind, data) in enumerate(entries)
        ),
    )
