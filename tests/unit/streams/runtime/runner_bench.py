"""A runner with a role whose steps wait for the test, and what the runner called. No network."""

import asyncio
from collections.abc import Callable, Hashable
from contextlib import nullcontext

from streams.runtime.acker import Place
from streams.runtime.record import Record
from streams.runtime.runner import Runner
from streams.runtime.running_step import parked, shielded
from streams.runtime.settings import RuntimeSettings

PLACE = ("in", 0)


def record(offset: int, *, key: bytes = b"k", value: bytes | None = None, partition: int = 0) -> Record:
    return Record("in", partition, offset, 1000 + offset, key, value)


class GatedRole:
    """A role whose steps wait until the test opens their gate. Fails as told."""

    def __init__(self) -> None:
        self.topics = ("in",)
        self.started: list[int] = []
        self.cancelled: list[int] = []
        self.buried: list[int] = []
        self.errors: dict[int, list[Exception]] = {}
        self.bury_errors: list[Exception] = []
        self.has_lanes = True
        self.is_parking = False
        self.is_shielded = False
        self.parks_afterwards = False
        self._gates: dict[int, asyncio.Event] = {}

    def gate(self, offset: int) -> asyncio.Event:
        return self._gates.setdefault(offset, asyncio.Event())

    def lane(self, record: Record) -> Hashable | None:
        return record.key if self.has_lanes else None

    def join_key(self, record: Record) -> Hashable | None:
        return record.value

    async def step(self, record: Record) -> None:
        self.started.append(record.offset)
        try:
            if self.is_parking:
                async with parked():
                    await self.gate(record.offset).wait()
            else:
                with shielded() if self.is_shielded else nullcontext():
                    await self.gate(record.offset).wait()
            if self.parks_afterwards:
                async with parked():
                    await self.gate(-1).wait()
        except asyncio.CancelledError:
            self.cancelled.append(record.offset)
            raise
        if self.errors.get(record.offset):
            raise self.errors[record.offset].pop(0)

    async def on_poison(self, record: Record, error: Exception) -> None:
        _ = error
        if self.bury_errors:
            raise self.bury_errors.pop(0)
        self.buried.append(record.offset)

    async def on_assigned(self, partitions: frozenset[int]) -> None:
        """Nothing to do."""

    async def on_revoked(self, partitions: frozenset[int]) -> None:
        """Nothing to do."""


class Bench:
    """A runner with a role, and what it called."""

    def __init__(self, **settings: object) -> None:
        self.role = GatedRole()
        self.acknowledged: dict[int, int] = {}
        """The offset up to which each partition is acknowledged."""
        self.paused: list[Place] = []
        self.resumed: list[Place] = []
        self.failures: list[BaseException] = []
        self.runner = Runner(
            self.role,
            RuntimeSettings.model_validate({"retry_backoff_min_s": 0.01, **settings}),
            acknowledge=self._acknowledge,
            pause=self.paused.append,
            resume=self.resumed.append,
            fail=self.failures.append,
        )

    def _acknowledge(self, place: Place, offset: int) -> None:
        assert offset > self.acknowledged.get(place[1], 0)
        self.acknowledged[place[1]] = offset

    async def begin(self, generation: int = 1, partitions: tuple[int, ...] = (0, 1)) -> None:
        await self.runner.assigned(frozenset(("in", number) for number in partitions), generation)

    async def send(self, *records: Record, generation: int = 1) -> None:
        await self.runner.dispatch(records, generation)

    def open(self, *offsets: int) -> None:
        for offset in offsets:
            self.role.gate(offset).set()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not is_so():  # noqa: ASYNC110 - what is waited for gives no sign
            await asyncio.sleep(0.002)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
