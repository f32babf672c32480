"""Reads the partitions that somebody else was assigned: without a group, from the places it is told.

The client's own consumer does the same at several times the cost of a message and of a fetch.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Any

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    LeaderNotAvailableError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
    for_code,
)

from bus.connection import client_options
from bus.fetch import Fetch, Fetched, Part, end_of, messages_of
from bus.message import Message, Place
from bus.settings import KafkaSettings
from telemetry.logs import logger

_STOP_LIMIT_S = 10.0
_RETRY_S = 0.1
_NOBODY = -1
"""The client's number for the leader of a partition that has none."""
_LASTING = (OffsetOutOfRangeError, TopicAuthorizationFailedError, CorruptRecordException)
"""Errors of a partition that asking again does not mend."""
_BUSY_SHARE = 5
"""A batch that fills a fifth of what was asked for says that more is there: no rest is taken then."""

_log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Topics (full names) that are fetched together.

    After each batch that does not say that more is waiting, nothing is fetched for `rest_s` seconds: a fetch
    names every partition and costs as much for one message as for a thousand. The first message after a
    silence is returned at once.
    """

    topics: tuple[str, ...]
    rest_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Arrived:
    messages: Iterator[Fetched]
    end: int
    """The offset to go on from after them."""


class Follower:
    """One connection to each broker, which fetches one stream."""

    def __init__(self, kafka: KafkaSettings, stream: Stream) -> None:
        self._kafka = kafka
        self._stream = stream
        self.rest_s = stream.rest_s
        """Seconds without a fetch after each batch; may be changed at any time."""
        self._client: Any = None
        self._positions: dict[Place, int] = {}
        self._arrived: dict[Place, _Arrived] = {}
        self._fetching: dict[int, asyncio.Task[None]] = {}
        self._error: KafkaError | None = None
        self._has_places = asyncio.Event()
        self._rests_until_s = 0.0

    @property
    def topics(self) -> tuple[str, ...]:
        """Full names of the topics."""
        return self._stream.topics

    async def start(self) -> None:
        """Connect; nothing is read yet."""
        self._client = AIOKafkaClient(**client_options(self._kafka))
        await self._client.bootstrap()
        await self._client.set_topics(self.topics)

    async def stop(self) -> None:
        """Disconnect, within ten seconds. Stopping twice does nothing."""
        client, self._client = self._client, None
        if client is not None:
            self.follow({})
            with suppress(KafkaError, TimeoutError):  # the broker is away: nobody is there to say goodbye to
                async with asyncio.timeout(_STOP_LIMIT_S):
                    await client.close()

    def follow(self, positions: Mapping[Place, int]) -> None:
        """Read these partitions from these offsets on, and no others."""
        for fetching in self._fetching.values():
            fetching.cancel()
        self._fetching = {}
        self._arrived = {}
        self._error = None
        self._positions = dict(positions)
        self._rests_until_s = 0.0
        if positions:
            self._has_places.set()
        else:
            self._has_places.clear()

    async def get_batch(self, *, max_records: int, timeout_s: float) -> Mapping[Place, Sequence[Message]]:
        """Return what is there, at most `max_records`, by offset for each place; empty after `timeout_s`.

        Raises:
            KafkaError: a position is outside its topic, a batch is damaged, or Kafka refuses us.

        """
        if not await self._are_there(timeout_s):
            return {}
        self._raise_error()
        await asyncio.sleep(max(0.0, self._rests_until_s - monotonic()))
        ends_s = monotonic() + timeout_s
        while not (batch := self._taken(max_records)):
            self._fetch()
            left_s = ends_s - monotonic()
            if left_s <= 0 or not self._fetching:
                return {}
            await asyncio.wait(self._fetching.values(), timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            self._fetching = {node: each for node, each in self._fetching.items() if not each.done()}
            self._raise_error()
        if sum(map(len, batch.values())) * _BUSY_SHARE < max_records:
            self._rests_until_s = monotonic() + self.rest_s
        elif not self._arrived:
            self._fetch()  # comes while these are looked at
        return batch

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    async def _are_there(self, timeout_s: float) -> bool:
        if not self._positions:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._has_places.wait()
        return bool(self._positions)

    def _taken(self, max_records: int) -> dict[Place, list[Fetched]]:
        batch: dict[Place, list[Fetched]] = {}
        for place in list(self._arrived):
            # Taken out while it is read: when that fails, the place is fetched again from where it stands.
            arrived = self._arrived.pop(place)
            taken = list(islice(arrived.messages, max_records))
            if taken:
                batch[place] = taken
                max_records -= len(taken)
            if not max_records:
                self._positions[place] = taken[-1].offset + 1
                self._arrived[place] = arrived
                break
            self._positions[place] = arrived.end
        return batch

    def _fetch(self) -> None:
        """Ask every broker that is not asked already for what follows what was taken."""
        wanted: defaultdict[int, dict[Place, int]] = defaultdict(dict)
        for place, position in self._positions.items():
            if place not in self._arrived:
                wanted[self._leader_of(place)][place] = position
        for node, positions in wanted.items():
            if node not in self._fetching:
                self._fetching[node] = asyncio.create_task(self._ask(node, positions), name="fetch")

    def _leader_of(self, place: Place) -> int:
        leader: int | None = self._client.cluster.leader_for_partition(TopicPartition(*place))
        return _NOBODY if leader is None else leader

    async def _ask(self, node: int, positions: Mapping[Place, int]) -> None:
        try:
            if node == _NOBODY:
                raise LeaderNotAvailableError
            answer = await self._client.send(node, Fetch(positions))
            if answer.error:
                raise _error_of(answer.error, "the fetch")
            errors = [error for part in answer.parts if (error := self._kept(part, positions[part.place]))]
        except KafkaError as error:
            errors = [error]
        lasting = [error for error in errors if isinstance(error, _LASTING)]
        if lasting:
            self._error = lasting[0]
        elif errors:
            _log.info("cannot fetch now, trying again", broker=node, error=repr(errors[0]))
            self._client.force_metadata_update()
            await asyncio.sleep(_RETRY_S)

    def _kept(self, part: Part, position: int) -> KafkaError | None:
        if part.error:
            return _error_of(part.error, {TopicPartition(*part.place): position})
        try:
            end = end_of(part)
        except CorruptRecordException as error:
            return error
        if end is not None:
            self._arrived[part.place] = _Arrived(messages_of(part, position), end)
        return None


def _error_of(code: int, what: object) -> KafkaError:
    kind: type[KafkaError] = for_code(code)
    return kind(what)
