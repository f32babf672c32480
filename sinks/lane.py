"""Some topics' way into the store: collect, write with patience; one transaction at a time."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bus.message import Place
from schemas.errors import TransientError
from schemas.topics import TopicSpec
from sinks.errors import OvertakenError
from sinks.ports import Batch, Entry, Move, OnRefused, Store
from sinks.settings import SinkSettings
from telemetry.logs import logger
from telemetry.metrics import SINK_RETRIES

_log = logger(__name__)


@dataclass(slots=True, eq=False)
class Claim:
    """One assignment of one partition. What was fetched under an older claim is not written any more."""

    place: Place
    position: int
    """The offset that the store has now."""
    fetched: int
    """The next offset that is taken from the source."""
    generation: int
    """The assignment that it belongs to."""
    waiting: deque[Entry] = field(default_factory=deque[Entry])
    size: int = 0
    """Bytes of what is waiting."""


_Taken = dict[Claim, list[Entry]]


class Lane:
    """Buffers and writes topics (full name → specification) in common transactions.

    `linger_s` is how long entries wait for company, unless one of them is awaited by somebody.
    """

    def __init__(
        self,
        topics: Mapping[str, TopicSpec],
        *,
        settings: SinkSettings,
        linger_s: float,
        store: Store,
        refuse: OnRefused,
        generation: Callable[[], int],
        overtaken: Callable[[str], None],
    ) -> None:
        self.topics = topics
        self.is_store_away = False
        self._settings = settings
        self._linger_s = linger_s
        self._store = store
        self._refuse = refuse
        self._generation = generation
        self._overtaken = overtaken
        self._claims: dict[Place, Claim] = {}
        self._ready: deque[Claim] = deque()
        self._count = 0
        self._bytes = 0
        self._arrival = asyncio.Event()
        self._enough = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._writing = asyncio.Lock()
        self._awaited_s = -math.inf

    @property
    def awaited_ago_s(self) -> float:
        """Seconds since something came that somebody waits for."""
        return time.monotonic() - self._awaited_s

    async def has_room(self, timeout_s: float) -> bool:
        """Wait until more may be fetched; False when it is still full after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._room.wait()
        except TimeoutError:
            return False

    @property
    def positions(self) -> dict[Place, int]:
        """The offset that the store has, of each claimed partition."""
        return {place: claim.position for place, claim in self._claims.items()}

    def oldest(self) -> dict[Place, tuple[int, int | None]]:
        """Return each partition's position, and the broker's time (ms) of what waits first, if any."""
        return {
            place: (claim.position, claim.waiting[0].message.timestamp if claim.waiting else None)
            for place, claim in self._claims.items()
        }

    def claim(self, place: Place, position: int, generation: int) -> None:
        """Take a partition from the offset that the store has."""
        self._claims[place] = Claim(place, position, position, generation)

    def put(self, entries: Mapping[Place, Sequence[Entry]], generation: int) -> None:
        """Buffer what was fetched in that generation; unclaimed partitions and repeats are left out."""
        for place, several in entries.items():
            claim = self._claims.get(place)
            if claim is None or claim.generation != generation:
                continue
            new = _from(claim.fetched, several)
            if not new:
                continue
            claim.fetched = _end_of(new)
            if not claim.waiting:
                self._ready.append(claim)
            size = _size_of(new)
            claim.waiting.extend(new)
            claim.size += size
            self._count += len(new)
            self._bytes += size
            if self._linger_s and _is_one_awaited(new):
                self._awaited_s = time.monotonic()
                self._enough.set()
        self._signal()

    def drop(self) -> None:
        """Forget all claims and what is buffered: it is fetched again by whoever has it next."""
        self._claims.clear()
        self._ready.clear()
        self._count = self._bytes = 0
        self._enough.clear()
        self._signal()

    async def settle(self, limit_s: float) -> None:
        """Wait until no transaction is in flight, but not longer than `limit_s`."""
        try:
            async with asyncio.timeout(limit_s), self._writing:
                return
        except TimeoutError:
            # The compare-and-set of the offsets decides then who was first.
            return

    async def run(self) -> None:
        """Write what arrives until cancelled.

        Raises:
            FatalError: too much is refused, or the store does not fit this program.

        """
        while True:
            await self._arrival.wait()
            await self._collect()
            async with self._writing:
                taken = self._take()
                if taken:
                    await self._write(taken)

    def _signal(self) -> None:
        settings = self._settings
        _set(self._arrival, self._count > 0)
        if self._count >= settings.batch_rows:
            self._enough.set()
        _set(self._room, self._count < settings.buffer_records and self._bytes < settings.buffer_bytes)

    async def _collect(self) -> None:
        if not self._linger_s:
            return
        try:
            async with asyncio.timeout(self._linger_s):
                await self._enough.wait()
        except TimeoutError:
            return

    def _take(self) -> _Taken:
        most = self._settings.behind_batch_rows
        most_bytes = self._settings.buffer_bytes // 4
        taken: _Taken = {}
        count = size = 0
        self._enough.clear()
        while self._ready and count < most and size < most_bytes:
            claim = self._ready.popleft()
            if count + len(claim.waiting) <= most and size + claim.size <= most_bytes:
                entries, taken_bytes = list(claim.waiting), claim.size
                claim.waiting.clear()
            else:
                entries, taken_bytes = _first(claim.waiting, most - count, most_bytes - size)
            claim.size -= taken_bytes
            taken[claim] = entries
            size += taken_bytes
            count += len(entries)
            if claim.waiting:
                self._ready.append(claim)  # behind the others: a long partition does not hold them up
        self._count -= count
        self._bytes -= size
        self._signal()
        return taken

    async def _write(self, taken: _Taken) -> None:
        refused = [each for entries in self._held(taken).values() for _, _, each in entries if each]
        if refused:
            await self._patiently(lambda: self._refuse(refused))
        await self._patiently(lambda: self._write_once(taken))

    async def _write_once(self, taken: _Taken) -> None:
        held = self._held(taken)
        batches = self._batches(held)
        if not batches:
            return
        try:
            await self._store.write(batches, self._refuse)
        except OvertakenError as error:
            self.drop()
            self._overtaken(error.message)
            return
        for claim, entries in held.items():
            claim.position = _end_of(entries)

    def _batches(self, held: _Taken) -> list[Batch]:
        batches: list[Batch] = []
        for topic, spec in self.topics.items():
            mine = sorted((claim for claim in held if claim.place[0] == topic), key=lambda claim: claim.place)
            if mine:
                entries = [entry for claim in mine for entry in held[claim]]
                moves = [Move(claim.place[1], claim.position, _end_of(held[claim])) for claim in mine]
                batches.append(Batch(spec, topic, entries, moves))
        return batches

    async def _patiently(self, attempt: Callable[[], Awaitable[None]]) -> None:
        wait_s = self._settings.retry_first_s
        while True:
            try:
                await attempt()
            except TransientError as error:
                if not self.is_store_away:
                    _log.warning("cannot write now, trying again", error=error.message)
                self.is_store_away = True
                SINK_RETRIES.inc()
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, self._settings.retry_most_s)
            else:
                self.is_store_away = False
                return

    def _held(self, taken: _Taken) -> _Taken:
        now = self._generation()
        return {
            claim: entries
            for claim, entries in taken.items()
            if claim.generation == now and self._claims.get(claim.place) is claim
        }


def _first(waiting: deque[Entry], most: int, most_bytes: int) -> tuple[list[Entry], int]:
    entries: list[Entry] = []
    size = 0
    while waiting and len(entries) < most and size < most_bytes:
        entry = waiting.popleft()
        entries.append(entry)
        size += _size_of((entry,))
    return entries, size


def _from(offset: int, several: Sequence[Entry]) -> Sequence[Entry]:
    if not several or several[0].message.offset >= offset:
        return several
    return [entry for entry in several if entry.message.offset >= offset]


def _end_of(entries: Sequence[Entry]) -> int:
    # Offsets may have gaps (compaction, retention), so where the entries begin says nothing.
    return entries[-1].message.offset + 1


def _size_of(entries: Sequence[Entry]) -> int:
    return sum([len(message.value or b"") + len(message.key or b"") for message, _, _ in entries])


def _is_one_awaited(entries: Sequence[Entry]) -> bool:
    # A rebuild waits for its fence; nobody waits for what a session decided.
    return any(row is None or row.get("fence_previous") is not None for _, row, _ in entries)


def _set(event: asyncio.Event, is_so: bool) -> None:
    if is_so:
        event.set()
    else:
        event.clear()
