"""One topic's way into the store: collect, decode, write with patience; one transaction at a time."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from bus.message import Message, Place
from schemas.errors import TransientError
from schemas.topics import TASK_LOGS, TopicSpec
from sinks.batch import moves_of
from sinks.decoding import decoded
from sinks.errors import OvertakenError
from sinks.ports import Decoder, Entry, OnRefused, Store
from sinks.settings import SinkSettings
from telemetry.logs import logger

_log = logger(__name__)


@dataclass(slots=True, eq=False)
class Claim:
    """One assignment of one partition. What was fetched under an older claim is not written any more."""

    position: int
    """The offset that the store has now."""
    fetched: int
    """The next offset that is taken from the source."""
    generation: int
    """The assignment that it belongs to."""


class Lane:
    """Buffers and writes one topic."""

    def __init__(
        self,
        spec: TopicSpec,
        topic: str,
        *,
        settings: SinkSettings,
        store: Store,
        decoder: Decoder,
        refuse: OnRefused,
        generation: Callable[[], int],
        overtaken: Callable[[str], None],
    ) -> None:
        self.spec = spec
        self.topic = topic
        self.is_store_away = False
        self._settings = settings
        self._store = store
        self._decoder = decoder
        self._refuse = refuse
        self._generation = generation
        self._overtaken = overtaken
        self._linger_s = 0.0 if spec is TASK_LOGS else settings.linger_ms / 1000
        self._claims: dict[int, Claim] = {}
        self._waiting: deque[tuple[Message, Claim]] = deque()
        self._bytes = 0
        self._arrival = asyncio.Event()
        self._enough = asyncio.Event()
        self._writing = asyncio.Lock()

    @property
    def is_full(self) -> bool:
        """Whether fetching this topic should pause."""
        return (
            len(self._waiting) >= self._settings.buffer_records or self._bytes >= self._settings.buffer_bytes
        )

    @property
    def is_half_empty(self) -> bool:
        """Whether fetching this topic may go on."""
        most = self._settings
        return len(self._waiting) <= most.buffer_records // 2 and self._bytes <= most.buffer_bytes // 2

    @property
    def positions(self) -> dict[Place, int]:
        """The offset that the store has, of each claimed partition."""
        return {(self.topic, partition): claim.position for partition, claim in self._claims.items()}

    def claim(self, partition: int, position: int, generation: int) -> None:
        """Take a partition from the offset that the store has."""
        self._claims[partition] = Claim(position, position, generation)

    def put(self, messages: Iterable[Message]) -> None:
        """Buffer messages; those of unclaimed partitions, and repeats, are left out."""
        for message in messages:
            claim = self._claims.get(message.partition)
            if claim is None or message.offset < claim.fetched:
                continue
            claim.fetched = message.offset + 1
            self._waiting.append((message, claim))
            self._bytes += _size_of(message)
        if self._waiting:
            self._arrival.set()
        if len(self._waiting) >= self._settings.batch_rows:
            self._enough.set()

    def drop(self) -> None:
        """Forget all claims and what is buffered: it is fetched again by whoever has it next."""
        self._claims.clear()
        self._waiting.clear()
        self._bytes = 0
        self._arrival.clear()

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

    async def _collect(self) -> None:
        if self._linger_s and len(self._waiting) < self._settings.batch_rows:
            self._enough.clear()
            try:
                await asyncio.wait_for(self._enough.wait(), self._linger_s)
            except TimeoutError:
                return

    def _take(self) -> list[tuple[Message, Claim]]:
        settings = self._settings
        many = settings.behind_batch_rows
        most = many if len(self._waiting) >= many else settings.batch_rows
        taken: list[tuple[Message, Claim]] = []
        size = 0
        while self._waiting and len(taken) < most and size < settings.buffer_bytes // 4:
            message, claim = self._waiting.popleft()
            taken.append((message, claim))
            size += _size_of(message)
        self._bytes -= size
        if not self._waiting:
            self._arrival.clear()
        return taken

    async def _write(self, taken: list[tuple[Message, Claim]]) -> None:
        entries, refused = await decoded(
            self._decoder, self.spec, [message for message, claim in taken if self._is_held(message, claim)]
        )
        if refused:
            await self._patiently(lambda: self._refuse(refused))
        claims = {message.partition: claim for message, claim in taken}
        bad = [Entry(each.message, None) for each in refused]
        # Dead letters count as passed: their offsets move with the others'.
        passed = sorted([*entries, *bad], key=lambda entry: (entry.message.partition, entry.message.offset))
        await self._patiently(lambda: self._write_once(passed, claims))

    async def _write_once(self, entries: list[Entry], claims: dict[int, Claim]) -> None:
        held = [each for each in entries if self._is_held(each.message, claims[each.message.partition])]
        if not held:
            return
        positions = {partition: claim.position for partition, claim in claims.items()}
        moves = moves_of(held, positions)
        try:
            await self._store.write(self.spec, self.topic, held, moves, self._refuse)
        except OvertakenError as error:
            self.drop()
            self._overtaken(error.message)
            return
        for move in moves:
            claims[move.partition].position = move.next

    async def _patiently(self, attempt: Callable[[], Awaitable[None]]) -> None:
        wait_s = self._settings.retry_first_s
        while True:
            try:
                await attempt()
            except TransientError as error:
                if not self.is_store_away:
                    _log.warning("cannot write now, trying again", topic=self.topic, error=error.message)
                self.is_store_away = True
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, self._settings.retry_most_s)
            else:
                self.is_store_away = False
                return

    def _is_held(self, message: Message, claim: Claim) -> bool:
        return self._claims.get(message.partition) is claim and claim.generation == self._generation()


def _size_of(message: Message) -> int:
    return len(message.value or b"") + len(message.key or b"")
