"""Waits until the Postgres sink has passed an offset, so that the record can be asked. One poll for all."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.errors import TransientError
from streams.runtime.running_step import parked

_FIRST_PAUSE_S = 0.002
_LONGEST_PAUSE_S = 0.05
_AWAY_PAUSE_S = 0.5
_QUERY_LIMIT_S = 5.0


class Progress(Protocol):
    """How far the Postgres sink has come."""

    async def next_offsets(self, pairs: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        """Return the next offset of each (full topic name, partition). Raises TransientError."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    place: tuple[str, int]
    offset_end: int
    passed: asyncio.Future[None]


class Barrier:
    """Lets steps wait for the record, without a slot. One per process and event loop."""

    def __init__(self, progress: Progress, *, limit_s: float = 60.0) -> None:
        """Wait at most `limit_s` seconds each time."""
        self._progress = progress
        self._limit_s = limit_s
        self._waiters: set[_Waiter] = set()
        self._arrival = asyncio.Event()
        self._poller: asyncio.Task[None] | None = None
        self._trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """What keeps those who wait from being served; None when nobody waits or nothing does."""
        return self._trouble if self._waiters else None

    async def wait(self, topic: str, partition: int, offset_end: int) -> None:
        """Return when everything of the partition below `offset_end` is in the record (`topic`: full name).

        The step that waits gives its slot to others and keeps its lane.

        Raises:
            TransientError: the sink has not come that far within the limit, or Postgres is away.

        """
        if offset_end <= 0:
            return
        async with parked():
            await self._passed((topic, partition), offset_end)

    async def stop(self) -> None:
        """End the poll; whoever still waits runs into the limit."""
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.wait([self._poller])

    async def _passed(self, place: tuple[str, int], offset_end: int) -> None:
        waiter = _Waiter(place, offset_end, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        self._arrival.set()
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            async with asyncio.timeout(self._limit_s):
                await waiter.passed
        except TimeoutError as error:
            raise TransientError(self._excuse(waiter)) from error
        finally:
            self._waiters.discard(waiter)

    def _excuse(self, waiter: _Waiter) -> str:
        topic, partition = waiter.place
        reason = self._trouble or "is its process running, and is it keeping up?"
        return (
            f"the Postgres sink has not written {topic}/{partition} up to {waiter.offset_end}"
            f" within {self._limit_s:.0f} s: {reason}"
        )

    async def _poll(self) -> None:
        pause_s = _FIRST_PAUSE_S
        try:
            while self._waiters:
                if self._arrival.is_set():
                    self._arrival.clear()
                    pause_s = _FIRST_PAUSE_S
                await self._ask_once()
                await self._rest(_AWAY_PAUSE_S if self._trouble else pause_s)
                pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)
        except Exception as error:  # noqa: BLE001 - it belongs to the waiters; the poll has nobody else to tell
            for waiter in self._waiters:
                if not waiter.passed.done():
                    waiter.passed.set_exception(error)

    async def _ask_once(self) -> None:
        places = sorted({waiter.place for waiter in self._waiters})
        try:
            async with asyncio.timeout(_QUERY_LIMIT_S):
                offsets = await self._progress.next_offsets(places)
        except (TransientError, TimeoutError) as error:
            self._trouble = str(error) or "Postgres does not answer"
            return
        self._trouble = None
        for waiter in list(self._waiters):
            if offsets.get(waiter.place, 0) >= waiter.offset_end:
                self._waiters.discard(waiter)
                if not waiter.passed.done():
                    waiter.passed.set_result(None)

    async def _rest(self, pause_s: float) -> None:
        """Pause; a new waiter shortens it, but not below the first pause: a rush is no busy loop."""
        if not self._waiters:
            return
        await asyncio.sleep(_FIRST_PAUSE_S)
        if pause_s > _FIRST_PAUSE_S and not self._trouble:
            try:
                async with asyncio.timeout(pause_s - _FIRST_PAUSE_S):
                    await self._arrival.wait()
            except TimeoutError:
                return
        elif self._trouble:
            await asyncio.sleep(pause_s)
