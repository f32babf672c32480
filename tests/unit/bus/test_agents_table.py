"""A table that can no longer follow its topic says so, to those who wait and to those who come."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from bus.agents_table import AgentsTable
from bus.codec import Codec
from bus.message import Message, Place
from bus.names import TopicNames
from bus.reader import TopicReader
from bus.settings import KafkaSettings
from schemas.errors import ErrorCode, FatalError, TransientError

WAIT_S = 5.0


class ScriptedReader(TopicReader):
    """A topic that is empty until `news` arrives; the read after that raises `failure`."""

    def __init__(self, failure: Exception) -> None:
        super().__init__(KafkaSettings(), ["maestro.agents"])
        self.failure = failure
        self.news = asyncio.Event()
        self.end = 0
        self.position = 0
        self.asked = 0
        self.is_stopped = False

    async def start(self) -> None:
        """Connect to nothing."""

    async def stop(self) -> None:
        """Remember it."""
        self.is_stopped = True

    async def read(self, *, timeout_s: float, max_records: int = 500) -> Sequence[Message]:
        """Wait for the news, then fail."""
        del timeout_s, max_records
        await self.news.wait()
        raise self.failure

    async def end_offsets(self) -> Mapping[Place, int]:
        """Return where the topic ends."""
        self.asked += 1
        return {("maestro.agents", 0): self.end}

    async def has_read(self, ends: Mapping[Place, int]) -> bool:
        """Nothing is read but what `position` says."""
        return all(end <= self.position for end in ends.values())


async def started(failure: Exception) -> tuple[AgentsTable, ScriptedReader]:
    """Return a running table on an empty topic."""
    table = AgentsTable(KafkaSettings(), names=TopicNames("maestro."), codec=Codec())
    table._reader = reader = ScriptedReader(failure)
    await table.start()
    return table, reader


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (FatalError("not allowed to read"), ErrorCode.MISCONFIGURED),
        (ValueError("a bug"), ErrorCode.HANDLER_ERROR),
    ],
)
async def test_a_table_that_stopped_following_refuses_who_waits_and_who_comes(
    failure: Exception, code: ErrorCode
) -> None:
    table, reader = await started(failure)
    assert await table.get("nobody") is None
    reader.end = 1
    waiting = [asyncio.create_task(table.get("nobody")) for _ in range(3)]
    await asyncio.sleep(0)
    reader.news.set()
    async with asyncio.timeout(WAIT_S):
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        with pytest.raises(FatalError, match=str(failure)):
            _ = await table.get("nobody")
        await table.stop()
    assert all(isinstance(outcome, FatalError) and outcome.code is code for outcome in outcomes)
    assert reader.is_stopped


async def test_who_knows_where_it_was_published_waits_for_that_and_asks_nobody() -> None:
    table, reader = await started(FatalError("not allowed to read"))
    asked = reader.asked
    await table.reached({}, 0)
    with pytest.raises(TransientError, match="try again"):
        await table.reached({0: 0}, 0.01)
    reader.position = 1
    await table.reached({0: 0}, WAIT_S)
    assert reader.asked == asked
    reader.news.set()
    with pytest.raises(FatalError, match="not allowed"):
        await table.reached({0: 1}, WAIT_S)
    with pytest.raises(FatalError, match="not allowed"):
        await table.reached({}, WAIT_S)
    await table.stop()


async def test_a_broker_that_is_away_is_asked_again() -> None:
    table, reader = await started(TransientError("away"))
    reader.news.set()
    await asyncio.sleep(0.01)
    assert await table.get("nobody") is None
    await table.stop()


async def test_a_table_that_cannot_start_leaves_nothing_open() -> None:
    failure = FatalError("not allowed to read")
    table = AgentsTable(KafkaSettings(), names=TopicNames("maestro."), codec=Codec())
    table._reader = reader = ScriptedReader(failure)
    reader.end = 1
    reader.news.set()
    with pytest.raises(FatalError, match="not allowed"):
        await table.start()
    assert reader.is_stopped
