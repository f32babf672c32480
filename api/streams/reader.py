"""Who watches a session: takes events as they come, made ready to send once for all who watch."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from api.streams.events import DONE, Event


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Events that came together, in order, and how they are sent."""

    events: tuple[Event, ...]
    wire: bytes
    run_id: str | None
    """The run that all of them belong to, when it goes on behind them."""

    @classmethod
    def of(cls, events: Sequence[Event]) -> Self:
        """Return the batch of some events."""
        runs = {event.run_id for event in events}
        is_one = len(runs) == 1 and all(event.name != DONE for event in events)
        return cls(tuple(events), b"".join(event.wire() for event in events), runs.pop() if is_one else None)


class Reader:
    """Takes the batches of one session, with at most `most` events waiting. Close it in any case."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: list[Batch] = []
        self._count = 0
        self._wake: asyncio.Future[None] | None = None
        self._due_s = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._on_end: Callable[[], object] | None = None
        self.has_ended = False
        """Whether nothing more comes: the client may go on elsewhere, from what it has."""

    def put(self, batch: Batch) -> None:
        """Hand over a batch; a reader that lags too far behind is cut off."""
        if self.has_ended:
            return
        if self._waiting and self._count + len(batch.events) > self._most:
            self._waiting.clear()
            self.end()
            return
        self._waiting.append(batch)
        self._count += len(batch.events)
        self._rouse()

    def end(self) -> None:
        """Let the reader take what waits, and then end."""
        if not self.has_ended:
            self.has_ended = True
            self._rouse()
            if self._on_end is not None:
                self._on_end()

    def close(self) -> None:
        """Take nothing any more."""
        if self._alarm is not None:
            self._alarm.cancel()

    def when_ended(self, then: Callable[[], object]) -> None:
        """Call `then` once when it ends: somebody may wait for a client that takes nothing."""
        self._on_end = then
        if self.has_ended:
            then()

    async def take(self, *, within_s: float) -> Sequence[Batch]:
        """Return what waits; nothing when it has ended, or nothing comes within the time."""
        if not self._waiting and not self.has_ended:
            loop = asyncio.get_running_loop()
            self._due_s = loop.time() + within_s
            self._set_alarm(loop)
            self._wake = loop.create_future()
            try:
                await self._wake
            finally:
                self._wake = None
        batches, self._waiting, self._count = self._waiting, [], 0
        return batches

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _set_alarm(self, loop: asyncio.AbstractEventLoop) -> None:
        # One that rings too early is set again then: a timer for each wait would cost more than the wait.
        if self._alarm is not None:
            if self._alarm.when() <= self._due_s:
                return
            self._alarm.cancel()
        self._alarm = loop.call_at(self._due_s, self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._alarm = None
        if self._wake is None:
            return
        if loop.time() < self._due_s:
            self._set_alarm(loop)
        else:
            self._rouse()
