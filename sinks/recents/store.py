"""Redis' lists of recent sessions as a sink's store.

Offsets lie in Redis beside the lists and are written after them. Writing a session twice changes nothing
(the greater version wins), so nothing fences these offsets: whoever sets them has put what is before them.
Lost together with the lists, they make the sink read the compacted topic again from its beginning.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

from bus.message import Place
from sinks.ports import Batch, Entry, OnRefused, Row
from stores.redis.recents import RecentSession, newest
from telemetry.metrics import SINK_BATCH_SECONDS, SINK_ROWS
from telemetry.points import point

SINK = "recents"
_LISTS = "recents"


class Lists(Protocol):
    """Where recent sessions are kept."""

    async def put(self, sessions: Sequence[RecentSession]) -> None:
        """Keep sessions; the greater version wins."""
        ...

    async def remove(self, sessions: Collection[str]) -> None:
        """Forget erased sessions."""
        ...

    async def offsets(self, partitions: Sequence[int]) -> dict[int, int]:
        """Return the next offset of each partition that one is kept of."""
        ...

    async def move(self, offsets: Mapping[int, int]) -> None:
        """Keep the next offsets."""
        ...


class RecentsStore:
    """Keeps sessions in their users' lists. Reads one topic."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._begun: frozenset[int] = frozenset()

    async def begin(self, places: Sequence[Place]) -> dict[Place, int]:
        """Return the next offset of each partition: 0 where Redis knows none."""
        partitions = [partition for _, partition in places]
        found = await self._lists.offsets(partitions)
        missing = {partition: 0 for partition in partitions if partition not in found}
        await self._lists.move(missing)
        self._begun = frozenset(partitions)
        return {(topic, partition): found.get(partition, 0) for topic, partition in places}

    async def keep_up(self) -> None:
        """Nothing is done ahead."""

    async def write(self, batches: Sequence[Batch], refuse: OnRefused) -> None:
        """Keep the newest state of each session, forget erased ones, then move the offsets."""
        del refuse  # Redis refuses no row
        with SINK_BATCH_SECONDS.labels(SINK).time():
            for batch in batches:
                gone = _erased(batch.entries)
                found = newest(recent_session(entry.row) for entry in batch.entries if entry.row is not None)
                await self._lists.put([each for each in found if each.session_id not in gone])
                await self._lists.remove(sorted(gone))
                await point("recents.written")
                await self._lists.move({move.partition: move.next for move in batch.moves})
                SINK_ROWS.labels(SINK, _LISTS).inc(len(found))
        await point("recents.committed")

    def watch(self, again: Callable[[], None]) -> Callable[[], Awaitable[None]]:
        """Return a chore that calls `again` when Redis has forgotten how far this sink has come."""

        async def look() -> None:
            begun = self._begun
            if len(await self._lists.offsets(sorted(begun))) < len(begun):
                self._begun = frozenset()
                again()

        return look


def recent_session(row: Row) -> RecentSession:
    """Return what lists show of a session's row."""
    return RecentSession(
        session_id=row["id"],
        user_id=row["user_id"],
        agent_id=row["agent_id"],
        title=row["title"],
        status=row["status"],
        archived=row["archived"],
        total_messages=row["total_messages"],
        last_message=row["last_message"],
        last_activity_ms=row["last_activity"] // 1000,
        created_ms=row["created_at"] // 1000,
        term=row["term"],
        version=row["version"],
    )


def _erased(entries: Sequence[Entry]) -> set[str]:
    # Tombstones are written when a session is erased, after everything else about it.
    return {
        (entry.message.key or b"").decode(errors="replace")
        for entry in entries
        if entry.row is None and entry.refused is None
    }
