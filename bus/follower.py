"""Reads the partitions that somebody else was assigned: without a group, from the places it is told."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from bus.connection import client_options
from bus.message import Message, Place
from bus.settings import KafkaSettings

_FETCH_WAIT_MS = 250
_FETCH_BYTES = 16_777_216
_STOP_LIMIT_S = 10.0
_BUSY_SHARE = 5
"""A batch that fills a fifth of what was asked for says that more is there: no rest is taken then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Topics (full names) that are fetched together.

    After each batch that does not say that more is waiting, nothing is fetched for `rest_s` seconds: a fetch
    names every partition and costs as much for one message as for a thousand. The first message after a
    silence is returned at once.
    """

    topics: tuple[str, ...]
    rest_s: float = 0.0


class Follower:
    """One connection that fetches one stream."""

    def __init__(self, kafka: KafkaSettings, stream: Stream) -> None:
        self._kafka = kafka
        self._stream = stream
        self.rest_s = stream.rest_s
        """Seconds without a fetch after each batch; may be changed at any time."""
        self._consumer: Any = None
        self._places: tuple[TopicPartition, ...] = ()
        self._has_places = asyncio.Event()
        self._rests_until_s: float | None = None

    @property
    def topics(self) -> tuple[str, ...]:
        """Full names of the topics."""
        return self._stream.topics

    async def start(self) -> None:
        """Connect; nothing is read yet."""
        self._consumer = AIOKafkaConsumer(
            **client_options(self._kafka),
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            fetch_max_bytes=_FETCH_BYTES,
        )
        await self._consumer.start()

    async def stop(self) -> None:
        """Disconnect, within ten seconds. Stopping twice does nothing."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            try:
                async with asyncio.timeout(_STOP_LIMIT_S):
                    await consumer.stop()
            except (KafkaError, TimeoutError):
                pass  # the broker is away: nobody is there to say goodbye to

    def follow(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read these partitions from these offsets on, and no others."""
        self._places = tuple(positions)
        self._rests_until_s = None
        # Assigned and positioned without a pause in between, so that no fetch starts anywhere else.
        if positions:
            self._consumer.assign(self._places)
            for place, offset in positions.items():
                self._consumer.seek(place, offset)
            self._has_places.set()
        elif self._has_places.is_set():
            self._consumer.unsubscribe()
            self._has_places.clear()

    async def get_batch(self, *, max_records: int, timeout_s: float) -> Mapping[Place, Sequence[Message]]:
        """Return what is there, at most `max_records`, by offset for each place; empty after `timeout_s`."""
        if not await self._are_there(timeout_s):
            return {}
        await self._rest()
        batch = await self._consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=max_records)
        if batch and self.rest_s and sum(map(len, batch.values())) * _BUSY_SHARE < max_records:
            # In the same turn of the loop in which the batch was taken: the client has not fetched on yet.
            self._consumer.pause(*self._places)
            self._rests_until_s = monotonic() + self.rest_s
        return batch

    async def _are_there(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._has_places.wait()
        except TimeoutError:
            return False

    async def _rest(self) -> None:
        until_s = self._rests_until_s
        if until_s is None:
            return
        await asyncio.sleep(until_s - monotonic())
        if self._rests_until_s == until_s:  # else told to follow other partitions meanwhile
            self._rests_until_s = None
            self._consumer.resume(*self._places)
