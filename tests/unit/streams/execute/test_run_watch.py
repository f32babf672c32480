"""Tools of runs that have ended: not started when late, stopped where that is harmless."""

import asyncio
from datetime import timedelta

import orjson
import pytest

from schemas.errors import ErrorCode, TransientError
from schemas.examples import BORN, TASK_LOGS, TOOL_CALL
from schemas.lists import Action, ToolOutcome
from stores.redis.contexts import FeedEntry
from stores.redis.feed import FeedItem
from streams.execute.invoke import Invoker
from streams.execute.job import ExecuteJob, Executing
from streams.execute.registry import Registry
from streams.execute.tool import Tool, ToolContext, tool
from streams.run_watch import RunWatch
from streams.session.feed import stages
from telemetry.tracing import derived
from tests.fakes.redis_stores import FakeFeed, FakeRedis
from tests.unit.streams.execute.test_job import FakeRecorded
from tests.unit.streams.execute.tools_for_tests import Arguments, call, returning

ATTEMPT = "01980000-0000-7000-8000-0000000000aa"
BORN_MS = int(BORN.timestamp() * 1000)


class World:
    """A feed that a session writes; its clock stands a second after the call was born."""

    def __init__(self) -> None:
        self._redis = FakeRedis(lambda: BORN_MS + 1_000)
        self.feed = FakeFeed(self._redis)

    async def say(self, action: Action, run_id: str = TOOL_CALL.run_id, kind: str = "stage") -> None:
        self.put(FeedEntry(kind, orjson.dumps({"stage": action.value, "run_id": run_id})))

    def put(self, entry: FeedEntry) -> None:
        self._redis.append_feed(0, TOOL_CALL.session_id, [entry], keep_s=60, max_len=2_000)

    def watch(self, *, every_s: float = 0.01) -> RunWatch:
        return RunWatch(
            self.feed,
            partition=0,
            session_id=TOOL_CALL.session_id,
            run_id=TOOL_CALL.run_id,
            since_ms=BORN_MS,
            every_s=every_s,
        )

    def job(self, what: Tool, *, late_s: float) -> ExecuteJob:
        executing = Executing(
            registry=Registry([what]),
            invoker=Invoker(pool_size=4, result_limit_bytes=1_000),
            record=FakeRecorded(),
            feed=self.feed,
            now=lambda: BORN + timedelta(seconds=late_s),
        )
        return executing.job(call(what.name), partition=0, trace=derived("x"))


@pytest.mark.parametrize(
    ("action", "ends"),
    [
        (Action.RUN_CANCELLED, True),
        (Action.RUN_FAILED, True),
        (Action.RUN_COMPLETED, True),
        (Action.RUN_ROLLED_BACK, True),
        (Action.TOOL_CALLED, False),
        (Action.RUN_STARTED, False),
    ],
)
async def test_only_the_end_of_the_run_is_an_end(action: Action, ends: bool) -> None:
    world = World()
    await world.say(action)
    assert await world.watch().look() is ends


async def test_the_end_of_another_run_and_other_entries_are_none() -> None:
    world = World()
    await world.say(Action.RUN_CANCELLED, run_id="another")
    await world.say(Action.RUN_CANCELLED, kind="delta")
    assert not await world.watch().look()


async def test_an_end_behind_many_entries_is_found() -> None:
    world = World()
    for _ in range(500):
        world.put(FeedEntry("delta", b"{}"))
    await world.say(Action.RUN_CANCELLED)
    assert await world.watch().look()


class Away:
    """A feed that cannot be read."""

    async def read(
        self, partition: int, session_id: str, *, after: str, block_ms: int = 0, count: int = 100
    ) -> tuple[FeedItem, ...]:
        message = f"{partition} {session_id} {after} {block_ms} {count}"
        raise TransientError(message)


async def test_a_feed_that_cannot_be_read_ends_nothing() -> None:
    watch = RunWatch(Away(), partition=0, session_id="s", run_id="r", since_ms=0, every_s=1)
    assert not await watch.look()


async def test_a_late_call_of_an_ended_run_is_not_started() -> None:
    world = World()
    await world.say(Action.RUN_CANCELLED)
    result = await world.job(returning(1), late_s=5).work(ATTEMPT)
    assert (result.outcome, result.error_code) == (ToolOutcome.FAILED, ErrorCode.CANCELLED)
    assert "had ended before" in (result.error_message or "")


async def test_a_call_that_comes_in_time_asks_nothing() -> None:
    world = World()
    await world.say(Action.RUN_CANCELLED)
    assert (await world.job(returning(1), late_s=0.5).work(ATTEMPT)).outcome is ToolOutcome.SUCCEEDED


async def stopped(what: Tool, world: World) -> tuple[ToolOutcome, ErrorCode | None]:
    invoker = Invoker(pool_size=1, result_limit_bytes=1_000)
    context = ToolContext(session_id="s", user_id="u", run_id="r", step_id="t")
    watch = world.watch()
    work = asyncio.create_task(invoker.invoke(what, Arguments(), context, 5, watch=watch))
    await asyncio.sleep(0.03)
    assert not work.done()
    await world.say(Action.RUN_CANCELLED)
    async with asyncio.timeout(2):
        ended = await work
    return ended.outcome, ended.error_code


async def test_a_tool_is_stopped_when_its_run_ends() -> None:
    gate = asyncio.Event()

    @tool(effect="pure", name="wait")
    async def wait(_arguments: Arguments, _context: ToolContext) -> None:
        """Wait."""
        await gate.wait()

    assert await stopped(wait, World()) == (ToolOutcome.FAILED, ErrorCode.CANCELLED)


async def test_a_watch_leaves_nothing_behind_and_a_time_limit_stays_one() -> None:
    world = World()
    before = len(asyncio.all_tasks())

    @tool(effect="pure", name="wait")
    async def wait(_arguments: Arguments, _context: ToolContext) -> None:
        """Wait."""
        await asyncio.Event().wait()

    invoker = Invoker(pool_size=1, result_limit_bytes=1_000)
    context = ToolContext(session_id="s", user_id="u", run_id="r", step_id="t")
    ended = await invoker.invoke(wait, Arguments(), context, 0.05, watch=world.watch())
    assert ended.outcome is ToolOutcome.TIMED_OUT
    assert len(asyncio.all_tasks()) == before


@pytest.mark.parametrize("action", [Action.RUN_CANCELLED, Action.RUN_FAILED, Action.RUN_ROLLED_BACK])
async def test_what_a_session_writes_when_a_run_ends_is_understood(action: Action) -> None:
    ended = {"cause": "x", "stop_reason": "cancelled", "error_code": "cancelled", "error_message": "stop"}
    entry = TASK_LOGS.entries[0].model_copy(
        update={"action": action, "run_id": TOOL_CALL.run_id, "payload": orjson.dumps(ended).decode()}
    )
    world = World()
    (stage,) = stages(TASK_LOGS.model_copy(update={"entries": (entry,)}))
    world.put(FeedEntry(stage.kind, stage.data))
    assert await world.watch().look()
