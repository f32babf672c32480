"""Waiting for a run: believed when the feed or the record has its end, and forgotten with who waits."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from api.run_shapes import refusal, run_answer, running_run
from api.run_waiter import RunWaiter
from bus.codec import Codec
from bus.message import Message
from schemas import ids
from schemas.errors import ErrorCode, PoisonError, TransientError
from schemas.lists import RunStatus, StopReason
from schemas.records import Run
from stores.postgres.session_logs import Head
from stores.redis.feed import FeedItem
from stores.redis.feed_watch import FeedRecord

USER, SESSION, MESSAGE = "alice", ids.new_id(), ids.new_id()
RUN = ids.run_id(SESSION, MESSAGE)
CODEC = Codec()
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_run(status: RunStatus = RunStatus.COMPLETED, **values: Any) -> Run:
    """Return the run in some state."""
    return Run.model_validate(
        {
            "id": RUN,
            "task_id": ids.task_id(SESSION),
            "session_id": SESSION,
            "agent_id": "assistant",
            "message_id": MESSAGE,
            "user_id": USER,
            "status": status,
            "input": "hello",
            "created_at": NOW,
            "term": 1,
            "version": 6,
            **values,
        }
    )


@dataclass(frozen=True)
class OnTopic:
    """A message of the topic of runs."""

    key: bytes | None
    value: bytes | None
    topic: str = "runs"
    partition: int = 0
    offset: int = 0
    timestamp: int = 0
    headers: Sequence[tuple[str, bytes | None]] = ()


@dataclass
class World:
    """Topic, feed and record in memory."""

    messages: asyncio.Queue[Message] = field(default_factory=asyncio.Queue[Message])
    feed: list[FeedRecord] = field(default_factory=list[FeedRecord])
    recorded: Run | None = None
    is_erased: bool = False
    asked: int = 0

    async def read(self, *, timeout_s: float) -> Sequence[Message]:
        """Return the next messages."""
        assert timeout_s > 0
        return [await self.messages.get()]

    async def newest(self, partition: int, session_id: str, *, count: int) -> Sequence[FeedRecord]:
        """Return the newest entries."""
        assert (partition, session_id) == (0, SESSION)
        return self.feed[::-1][:count]

    async def run(self, user_id: str, run_id: str) -> Run | None:
        """Return the recorded run."""
        assert (user_id, run_id) == (USER, RUN)
        self.asked += 1
        return self.recorded

    async def head(self, session_id: str) -> Head:
        """Return where the log stands."""
        assert session_id == SESSION
        return Head(0, 0, "", erased=self.is_erased)

    def publish(self, run: Run) -> None:
        """Put a run on the topic."""
        self.messages.put_nowait(OnTopic(run.session_id.encode(), CODEC.encode(run)))

    def end_on_feed(self, **values: Any) -> None:
        """Put the end of the run on the feed."""
        stage = {"stage": "run_completed", "sequence": 6, "run_id": RUN, **values}
        self.feed.append(FeedRecord("1-0", (FeedItem("1-0", "stage", orjson.dumps(stage)),)))


@asynccontextmanager
async def waiting_on(world: World) -> AsyncGenerator[RunWaiter]:
    """Open a waiter on a world."""

    @asynccontextmanager
    async def topic() -> AsyncGenerator[World]:
        yield world

    async with RunWaiter(
        topic(), codec=CODEC, feeds=world, record=world, heads=world, partitions=1
    ) as waiter:
        yield waiter


async def test_an_end_that_the_feed_has_is_believed_without_the_record() -> None:
    world = World()
    async with waiting_on(world) as waiter:
        with waiter.ticket(USER, SESSION, RUN, is_late=False) as ticket:
            world.end_on_feed()
            world.publish(a_run(RunStatus.RUNNING))
            world.publish(a_run(output="42"))
            async with asyncio.timeout(20):
                assert (await ticket.end()).output == "42"
    assert world.asked == 0


async def test_an_end_that_was_overtaken_is_not_believed() -> None:
    world = World()
    async with waiting_on(world) as waiter:
        with waiter.ticket(USER, SESSION, RUN, is_late=False) as ticket:
            world.end_on_feed(stage="run_cancelled", sequence=9)
            world.publish(a_run(output="void"))
            waiting = asyncio.create_task(ticket.end())
            await asyncio.sleep(0.2)
            assert not waiting.done()
            world.recorded = a_run(RunStatus.CANCELLED, version=9)
            async with asyncio.timeout(20):
                assert (await waiting).status is RunStatus.CANCELLED


async def test_an_end_is_told_once_before_it_is_believed() -> None:
    world, told, is_told = World(), list[RunStatus](), asyncio.Event()

    def tell(run: Run) -> None:
        told.append(run.status)
        is_told.set()

    async with waiting_on(world) as waiter, asyncio.timeout(20):
        with waiter.ticket(USER, SESSION, RUN, is_late=False, when_told=tell) as ticket:
            for run in (a_run(RunStatus.RUNNING), a_run(), a_run()):
                world.publish(run)
            waiting = asyncio.create_task(ticket.end())
            _ = await is_told.wait()
            assert not waiting.done()
            world.end_on_feed()
            assert (await waiting).status is RunStatus.COMPLETED
    assert told == [RunStatus.COMPLETED]


async def test_an_end_is_found_behind_what_came_after_it() -> None:
    world = World()
    world.end_on_feed()
    for number in range(10):
        world.feed.append(FeedRecord(f"2-{number}", (FeedItem(f"2-{number}", "token", b"{}"),)))
    async with waiting_on(world) as waiter, asyncio.timeout(20):
        with waiter.ticket(USER, SESSION, RUN, is_late=False) as ticket:
            world.publish(a_run())
            assert (await ticket.end()).status is RunStatus.COMPLETED


async def test_who_comes_late_is_told_by_the_record() -> None:
    world = World(recorded=a_run(output="42"))
    async with waiting_on(world) as waiter, asyncio.timeout(20):
        with waiter.ticket(USER, SESSION, RUN, is_late=True) as ticket:
            assert (await ticket.end()).output == "42"


async def test_who_waits_for_an_erased_session_is_told_so() -> None:
    world = World(is_erased=True)
    async with waiting_on(world) as waiter, asyncio.timeout(20):
        with waiter.ticket(USER, SESSION, RUN, is_late=True) as ticket, pytest.raises(PoisonError) as refused:
            await ticket.end()
    assert refused.value.code is ErrorCode.ERASED


async def test_thousands_wait_and_are_forgotten() -> None:
    world = World()
    async with waiting_on(world) as waiter, asyncio.timeout(40):
        tickets = [waiter.ticket(USER, SESSION, RUN, is_late=False) for _ in range(3_000)]
        for ticket in tickets:
            ticket.__enter__()
        assert waiter.waiting == 3_000
        waits = [asyncio.create_task(ticket.end()) for ticket in tickets]
        for ticket, wait in zip(tickets[:1_000], waits[:1_000], strict=True):
            wait.cancel()
            ticket.__exit__()
        world.end_on_feed()
        world.publish(a_run())
        ended = await asyncio.gather(*waits[1_000:])
        assert {run.id for run in ended} == {RUN}
        for ticket in tickets:
            ticket.__exit__()
        assert waiter.waiting == 0


async def test_a_run_of_somebody_else_wakes_nobody() -> None:
    world = World()
    async with waiting_on(world) as waiter:
        with waiter.ticket(USER, SESSION, RUN, is_late=False) as ticket:
            world.end_on_feed()
            world.publish(a_run(user_id="mallory"))
            await asyncio.sleep(0.1)
            assert ticket.last_seen is None


async def test_a_topic_that_cannot_be_read_is_read_again() -> None:
    class Shaky(World):
        """Fails once."""

        failed = False

        async def read(self, *, timeout_s: float) -> Sequence[Message]:
            """Fail once, then read."""
            if not self.failed:
                self.failed = True
                message = "the broker is away"
                raise TransientError(message)
            return await super().read(timeout_s=timeout_s)

    world = Shaky()
    async with waiting_on(world) as waiter, asyncio.timeout(20):
        with waiter.ticket(USER, SESSION, RUN, is_late=False) as ticket:
            world.end_on_feed()
            world.publish(a_run())
            assert (await ticket.end()).id == RUN
        assert waiter.trouble() is None


@pytest.mark.parametrize(
    ("reason", "status", "code"),
    [
        (StopReason.BUSY, 409, "busy"),
        (StopReason.ARCHIVED, 409, "archived"),
        (StopReason.TOO_LARGE, 413, "too_large"),
        (StopReason.INVALID, 422, "invalid"),
        (StopReason.UNKNOWN_AGENT, 404, "unknown_agent"),
        (StopReason.WRONG_OWNER, 404, "not_found"),
        (StopReason.BUDGET_TOKENS, 409, "budget_tokens"),
    ],
)
def test_a_refusal_has_the_status_of_its_reason(reason: StopReason, status: int, code: str) -> None:
    run = a_run(RunStatus.REJECTED, error_message="no", stop_reason=reason, error_code=reason.value)
    problem = refusal(run, running="r1")
    assert (problem.status, problem.code.value) == (status, code)
    assert ("running_run_id" in problem.members) == (reason is StopReason.BUSY)
    assert (RUN in problem.document("/x").values()) == (reason is not StopReason.WRONG_OWNER)


def test_the_running_run_is_the_newest_that_has_begun_and_not_ended() -> None:
    def entry(stage: str, run_id: str | None) -> tuple[str, bytes]:
        return "stage", orjson.dumps({"stage": stage, "run_id": run_id})

    past = [
        entry("run_started", "a"),
        entry("run_queued", "b"),
        entry("thought", "a"),
        entry("message_rejected", "c"),
        entry("session_idle", None),
        ("delta", b"{}"),
    ]
    assert running_run(reversed(past)) == "a"
    assert running_run(reversed([*past, entry("run_failed", "a")])) is None
    after = [*past, entry("run_failed", "a"), entry("run_started", "b")]
    assert running_run(reversed(after)) == "b"
    assert running_run([]) is None


def test_a_run_is_told_with_its_usage_and_its_error() -> None:
    run = a_run(RunStatus.FAILED, error_code="model_error", error_message="it failed", total_tokens=7)
    answer = run_answer(run)
    assert answer.usage.total_tokens == 7
    assert answer.error is not None
    assert answer.error.code == "model_error"
    assert run_answer(a_run()).error is None
