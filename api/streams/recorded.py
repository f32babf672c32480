"""What the record has of a session, for one reader of its events."""

import asyncio
from collections.abc import Iterable
from typing import Final

from api.streams.events import Event, stage_events
from api.streams.sources import Asked, Sources
from api.streams.stages import stage_of
from stores.postgres.session_logs import StoredLog

_MOST_REBUILT: Final = 2_000
"""Log entries that are rebuilt for a reader who missed more: about what a feed keeps."""

_PAUSE_S: Final = 0.05


class Recorded:
    """Events as the record gives them. Every method raises TransientError when it cannot be reached."""

    def __init__(self, sources: Sources, asked: Asked) -> None:
        self._sources = sources
        self._asked = asked
        self._session_id = asked.watched[1]

    async def after(self, sequence: int, upto: int | None = None) -> list[Event]:
        """Return what the reader asks for of the log entries behind one of them."""
        logs = await self._sources.shown.newest(
            self._session_id,
            after=max(sequence, 0),
            upto=upto,
            run_id=self._asked.run_id,
            limit=_MOST_REBUILT,
        )
        return _events_of(logs)

    async def end(self) -> list[Event]:
        """Return what the last log entry of the run that is asked for shows; nothing without a run."""
        run_id = self._asked.run_id
        if run_id is None:
            return []
        shown = self._sources.shown
        return _events_of(await shown.newest(self._session_id, after=0, upto=None, run_id=run_id, limit=1))

    async def wait_for(self, sequence: int) -> None:
        """Wait until the record has a log entry, but not for long: what it has is better than nothing."""
        for _ in range(round(self._sources.record_wait_s / _PAUSE_S)):
            if (await self._sources.heads.head(self._session_id)).sequence >= sequence:
                return
            await asyncio.sleep(_PAUSE_S)


def _events_of(logs: Iterable[StoredLog]) -> list[Event]:
    return [event for log in logs for event in stage_events(stage_of(log), None)]
