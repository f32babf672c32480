"""Lists of recent sessions in memory: the same methods, the same answers; the clock at hand."""

# The methods mean what the docstrings of the store say.
# ruff: noqa: D101

import time
from collections.abc import Collection, Mapping, Sequence

from stores.redis.recents import RecentSession


class FakeRecents:
    def __init__(self, *, keep_s: int, most: int) -> None:
        self._keep_s = keep_s
        self._most = most
        self._sessions: dict[str, RecentSession] = {}
        self._erased: set[str] = set()
        self._next: dict[int, int] = {}

    async def put(self, sessions: Sequence[RecentSession]) -> None:
        for each in sessions:
            held = self._sessions.get(each.session_id)
            is_older = held is not None and (each.term, each.version) <= (held.term, held.version)
            if each.session_id not in self._erased and not is_older:
                self._sessions[each.session_id] = each
                for gone in self._listed(each.user_id)[self._most :]:
                    del self._sessions[gone.session_id]

    async def remove(self, sessions: Collection[str]) -> None:
        for session_id in sessions:
            self._sessions.pop(session_id, None)
            self._erased.add(session_id)

    async def of_user(
        self, user_id: str, *, limit: int = 20, archived: bool | None = False
    ) -> tuple[RecentSession, ...]:
        listed = self._listed(user_id)
        return tuple(each for each in listed if archived is None or each.archived is archived)[:limit]

    async def offsets(self, partitions: Sequence[int]) -> dict[int, int]:
        return {partition: self._next[partition] for partition in partitions if partition in self._next}

    async def move(self, offsets: Mapping[int, int]) -> None:
        self._next.update(offsets)

    def forget(self) -> None:
        """Lose everything, as FLUSHALL does."""
        self._sessions.clear()
        self._erased.clear()
        self._next.clear()

    def _listed(self, user_id: str) -> list[RecentSession]:
        oldest_ms = time.time() * 1000 - self._keep_s * 1000
        own = [
            each
            for each in self._sessions.values()
            if each.user_id == user_id and each.last_activity_ms >= oldest_ms
        ]
        return sorted(own, key=lambda each: (each.last_activity_ms, each.session_id), reverse=True)
