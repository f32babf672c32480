"""Collects the terminal runs that a fleet publishes."""

import asyncio
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager

from bus.reader import Start, TopicReader
from schemas.errors import PoisonError
from schemas.records import Run
from schemas.topics import RUNS
from tests.fleet.fleet import Ground


class Runs:
    """Terminal runs as they stand on the topic, by their own id and by that of their message."""

    def __init__(self, fleet: Ground) -> None:
        self._fleet = fleet
        self._reader = TopicReader(fleet.kafka, [fleet.names.full(RUNS)], start=Start.BEGINNING)
        self.ended: dict[str, Run] = {}
        self.by_message: dict[str, Run] = {}

    async def start(self) -> None:
        """Resolve the positions."""
        await self._reader.start()

    async def stop(self) -> None:
        """Close the reader."""
        await self._reader.stop()

    async def wait(self, messages: Collection[str], *, within_s: float) -> None:
        """Return when every message has a terminal run.

        Raises:
            AssertionError: some have none in time; the text counts them.

        """
        deadline = time.monotonic() + within_s
        wanted = set(messages)
        while missing := wanted - self.by_message.keys():
            left = deadline - time.monotonic()
            assert left > 0, (
                f"{len(missing)} of {len(wanted)} messages have no terminal run: {sorted(missing)[:5]}"
            )
            await self._read(min(left, 1.0))

    async def wait_for(self, count: int, *, within_s: float) -> None:
        """Return when `count` messages have a terminal run. Raises AssertionError when it takes longer."""
        deadline = time.monotonic() + within_s
        while len(self.by_message) < count:
            left = deadline - time.monotonic()
            assert left > 0, f"{len(self.by_message)} messages of {count} have a terminal run"
            await self._read(min(left, 1.0))

    async def _read(self, timeout_s: float) -> None:
        for message in await self._reader.read(timeout_s=timeout_s):
            try:
                run = self._fleet.codec.decode(RUNS, message.value)
            except PoisonError:
                continue  # bad input of another test
            if isinstance(run, Run) and run.status.is_terminal:
                known = self.ended.get(run.id)
                if known is None or (known.term, known.version) < (run.term, run.version):
                    self.ended[run.id] = run
                    self.by_message[run.message_id] = run


@asynccontextmanager
async def reading_runs(fleet: Ground) -> AsyncGenerator[Runs]:
    """Read the runs of a fleet until the context closes."""
    runs = Runs(fleet)
    await runs.start()
    try:
        yield runs
    finally:
        await runs.stop()


async def sink_is_level(fleet: Ground, *, within_s: float) -> None:
    """Wait until the record contains everything that the recorded topics hold now.

    Raises:
        AssertionError: it does not in time; the text names what lags.

    """
    from sinks.postgres.tables import BY_TOPIC  # noqa: PLC0415

    names = [fleet.names.full(spec) for spec in BY_TOPIC]
    deadline = time.monotonic() + within_s
    async with fleet.admin() as admin:
        ends = await admin.end_offsets(names)
    while True:
        rows = await fleet.database.fetch(
            "select topic, partition, next_offset from sink_offsets where sink = 'postgres'"
        )
        have = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        behind = {place: end for place, end in ends.items() if have.get(place, 0) < end}
        if not behind:
            return
        late = f"the sink is behind at {len(behind)} places: {list(behind)[:5]}"
        assert time.monotonic() < deadline, late
        await asyncio.sleep(0.1)
