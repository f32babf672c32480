"""The life of a session through the whole step: its key in Redis, timers, erasure, fast beginning."""

from uuid import UUID

import orjson
import pytest

from schemas.errors import TransientError
from schemas.lists import Action, CommandKind, SessionStatus, StopReason
from schemas.partition import partition_of
from schemas.records import (
    GenerationRequest,
    Run,
    Session,
    SessionCommand,
    Task,
    TaskLogs,
    TimerFired,
    UserMessage,
)
from schemas.topics import GENERATION_REQUESTS, RUNS, TASK_LOGS, TIMERS, USER_MESSAGES
from stores.redis.contexts import FeedEntry
from stores.redis.journal import Claimed
from streams.session import checkpoint
from streams.session.context import to_bytes
from streams.session.new_session import MARGIN_MS, YOUNG_MS
from streams.session.settings import SessionSettings
from tests.fakes.redis_stores import FakeFeed, FakeJournal, Shard
from tests.unit.streams.session_shell.process import Process, kill
from tests.unit.streams.session_shell.world import START_MS, World, uuid

SHORT = SessionSettings(idle_s=10, ttl_s=60, grace_s=5)
FAST = SessionSettings(fast_path=True)


def home(world: World, session_id: str | None = None) -> int:
    return partition_of(session_id or uuid("chat"), world.topics.partitions)


def shard(world: World) -> Shard:
    return world.redis.shard(home(world))


async def answered(world: World) -> Process:
    """A session whose run has ended."""
    world.say("chat", "one")
    await world.settle()
    return world.process()


async def tick(world: World, process: Process, seconds: float) -> None:
    """Time passes, and what is due fires and is taken."""
    world.now_ms += int(seconds * 1000)
    await process.timer_loop.arm(home(world))
    await process.timer_loop.fire_due(home(world))
    await world.settle()


def last_request(world: World) -> GenerationRequest:
    requests = [one.record for one in world.topics.of(GENERATION_REQUESTS)]
    return max(
        (request for request in requests if isinstance(request, GenerationRequest)),
        key=lambda request: request.sequence,
    )


def command(world: World, kind: CommandKind) -> None:
    world.now_ms += 10
    world.topics.append(
        SessionCommand(id=uuid(kind.value), session_id=uuid("chat"), user_id="alice", kind=kind)
    )


def actions_of(world: World) -> list[Action]:
    return [row.action for row in world.record.logs[uuid("chat")]]


async def test_a_session_left_alone_goes_idle_expires_and_is_resumed_from_the_record() -> None:
    world = World(settings=SHORT)
    process = await answered(world)
    await tick(world, process, 11)
    assert world.context("chat").status is SessionStatus.IDLE
    assert uuid("chat") in shard(world).contexts
    await tick(world, process, 50)
    assert world.context("chat").status is SessionStatus.EXPIRED
    assert uuid("chat") in shard(world).contexts
    assert not shard(world).timers
    world.now_ms += 5_001
    assert uuid("chat") not in shard(world).contexts
    world.say("chat", "two")
    await world.settle()
    assert Action.SESSION_RESUMED in actions_of(world)
    assert "It is 42." in last_request(world).messages
    world.check("chat")


async def test_without_any_worker_the_key_is_gone_after_its_time_and_the_grace() -> None:
    world = World(settings=SHORT)
    await answered(world)
    world.now_ms += 64_000
    assert uuid("chat") in shard(world).contexts
    world.now_ms += 1_100
    assert uuid("chat") not in shard(world).contexts


async def test_what_was_missed_while_no_worker_ran_is_decided_when_one_is_back() -> None:
    world = World(settings=SHORT)
    process = await answered(world)
    await tick(world, process, 10_000)
    await tick(world, process, 1)
    assert actions_of(world)[-2:] == [Action.SESSION_IDLE, Action.SESSION_EXPIRED]
    world.now_ms += 5_001
    assert uuid("chat") not in shard(world).contexts
    world.check("chat")


async def test_a_step_sets_no_life_timer_while_its_run_is_open() -> None:
    world = World(settings=SHORT)
    process = await answered(world)
    assert {timer.kind for timer in shard(world).timers.values()} == {"idle"}
    world.say("chat", "two")
    await world.deliver(process, world.inputs()[0])
    assert {timer.kind for timer in shard(world).timers.values()} == {"deadline"}


async def test_the_timers_of_idle_and_expiry_come_back_after_a_flush() -> None:
    world = World(settings=SHORT)
    process = await answered(world)
    world.redis.flush()
    await tick(world, process, 11)
    assert world.context("chat").status is SessionStatus.IDLE
    world.redis.flush()
    await tick(world, process, 50)
    assert world.context("chat").status is SessionStatus.EXPIRED
    world.redis.flush()
    await process.timer_loop.arm(home(world))
    assert not shard(world).timers
    world.check("chat")


async def test_a_fired_timer_that_is_not_due_any_more_leaves_the_true_one() -> None:
    world = World(settings=SHORT)
    process = await answered(world)
    [timer] = shard(world).timers.values()
    world.now_ms += 5_000
    command(world, CommandKind.ARCHIVE)
    await world.settle()
    [moved] = shard(world).timers.values()
    assert moved.due_ms > timer.due_ms
    # The older one was published before it was moved.
    await process.timer_loop._fire(home(world), timer)
    await world.settle()
    assert list(shard(world).timers.values()) == [moved]
    assert world.context("chat").status is SessionStatus.ACTIVE
    world.check("chat")


@pytest.mark.parametrize("turn", range(24))
async def test_a_kill_at_any_await_of_an_expiry_expires_once(turn: int) -> None:
    world = World(settings=SHORT)
    process = await answered(world)
    await tick(world, process, 11)
    world.now_ms += 50_000
    await process.timer_loop.fire_due(home(world))
    await world.settle({0: {turn: kill}})
    assert actions_of(world).count(Action.SESSION_EXPIRED) == 1
    world.check("chat")
    kept = shard(world).contexts.get(uuid("chat"))
    assert kept is not None
    assert kept.expires_ms <= world.now_ms + SHORT.grace_s * 1000


async def test_an_erased_session_leaves_nothing_and_later_messages_are_acknowledged() -> None:
    world = World()
    process = await answered(world)
    world.say("chat", "my secret")
    await world.deliver(process, world.inputs()[0])
    asked = last_request(world).id
    journal, feed = FakeJournal(world.redis), FakeFeed(world.redis)
    assert isinstance(await journal.claim(home(world), asked, "t", 1_000), Claimed)
    await journal.complete(home(world), asked, "t", b"my secret", 60_000)
    await feed.append(home(world), uuid("chat"), [FeedEntry("token", b"my secret")], keep_s=60, max_len=9)
    command(world, CommandKind.ERASE)
    [erasure] = [message for message in world.inputs() if message.topic.endswith("session-commands")]
    await world.deliver(process, erasure)
    # Words of the model call that still goes on.
    await feed.append(home(world), uuid("chat"), [FeedEntry("token", b"my secret")], keep_s=60, max_len=9)
    kept = shard(world)
    assert b"secret" not in kept.contexts[uuid("chat")].stored.context
    assert not kept.feeds
    assert kept.steps[asked].value is None
    assert not [timer for timer in kept.timers.values() if timer.session_id == uuid("chat")]
    ends = [one.record for one in world.topics.of(RUNS) if isinstance(one.record, Run)]
    assert (ends[-1].stop_reason, ends[-1].input) == (StopReason.ERASED, "")
    world.record.catch_up_all()
    assert not world.record.logs[uuid("chat")]
    world.redis.flush()
    world.say("chat", "hello?")
    logs = len(list(world.topics.of(TASK_LOGS)))
    await world.settle()
    assert len(list(world.topics.of(TASK_LOGS))) == logs
    assert not [row for row in world.record.rows.values() if isinstance(row, Run | Session | Task)]


@pytest.mark.parametrize("turn", range(26))
async def test_a_kill_at_any_await_of_an_erasure_erases_all_the_same(turn: int) -> None:
    world = World()
    await answered(world)
    world.say("chat", "my secret")
    command(world, CommandKind.ERASE)
    await world.settle({1: {turn: kill}})
    assert world.record.erased == {uuid("chat")}
    kept = shard(world)
    assert not kept.feeds
    assert not kept.timers
    assert all(b"secret" not in one.stored.context for one in kept.contexts.values())


async def test_a_rebuild_reads_no_more_than_the_entries_since_the_last_checkpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkpoint, "CHECKPOINT_LOGS", 20)
    world = World()
    for number in range(8):
        world.say("chat", f"message {number}")
        await world.settle()
    assert Action.CHECKPOINT in actions_of(world)
    world.redis.flush()
    world.record.folded = 0
    world.say("chat", "the last")
    await world.settle()
    world.check("chat")
    assert 0 < world.record.folded <= 2 * 20
    assert world.context("chat").sequence > 3 * 20


async def test_a_record_with_a_gap_is_said_and_the_session_waits(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    process = await answered(world)
    world.redis.flush()
    del world.record.logs[uuid("chat")][0]
    world.say("chat", "two")
    with pytest.raises(TransientError, match="rows of task_logs are missing"):
        await process.start(world.inputs()[0])
    assert uuid("chat") in caplog.text


def young(born_ms: int) -> str:
    """A UUIDv7 made at that time."""
    return str(UUID(int=born_ms << 80 | 0x7 << 76 | 0b10 << 62 | 0x5EED))


async def begun(world: World, session_id: str, *, process: Process | None = None) -> list[TaskLogs]:
    """Send the first message of a session; return the log records that its step published."""
    message = UserMessage(id=uuid(session_id), session_id=session_id, user_id="alice", content="one")
    world.topics.append(message)
    [waiting] = world.inputs()
    await world.deliver(process or world.process(), waiting)
    return [
        one.record
        for one in world.topics.of(TASK_LOGS)
        if isinstance(one.record, TaskLogs) and one.record.session_id == session_id
    ]


def aged(world: World, session_id: str) -> World:
    """Let the epoch of the session's partition be older than the margin."""
    world.redis.epoch(home(world, session_id))
    world.now_ms += MARGIN_MS + 1_000
    return world


async def test_a_session_that_is_certainly_new_begins_without_a_fence() -> None:
    session_id = young(START_MS + MARGIN_MS + 900)
    world = aged(World(settings=FAST), session_id)
    [first] = await begun(world, session_id)
    assert (first.is_fence, first.term) == (False, 0)
    await world.settle()
    assert to_bytes(world.folded(session_id)) == shard_of(world, session_id)


def shard_of(world: World, session_id: str) -> bytes:
    return world.redis.shard(home(world, session_id)).contexts[session_id].stored.context


@pytest.mark.parametrize(
    "born_ms",
    [
        START_MS + MARGIN_MS - 1,
        START_MS + MARGIN_MS + 1_001,
        START_MS + MARGIN_MS + 1_000 - YOUNG_MS,
    ],
)
async def test_one_that_may_be_older_than_the_epoch_of_the_future_or_old_is_asked_for(born_ms: int) -> None:
    session_id = young(born_ms)
    world = aged(World(settings=FAST), session_id)
    fence, _ = await begun(world, session_id)
    assert fence.is_fence


async def test_one_that_left_a_token_before_is_asked_for() -> None:
    session_id = young(START_MS + MARGIN_MS + 900)
    world = aged(World(settings=FAST), session_id)
    await begun(world, session_id)
    kept = world.redis.shard(home(world, session_id))
    kept.contexts.clear()
    [first] = [one.message for one in world.topics.of(USER_MESSAGES)]
    await world.deliver(world.process(), first)
    logs = [one.record for one in world.topics.of(TASK_LOGS) if isinstance(one.record, TaskLogs)]
    assert [one.is_fence for one in logs].count(True) == 1
    assert to_bytes(world.folded(session_id)) == shard_of(world, session_id)


async def test_switched_off_every_session_begins_with_a_fence() -> None:
    session_id = young(START_MS + MARGIN_MS + 900)
    fence, _ = await begun(aged(World(), session_id), session_id)
    assert fence.is_fence


async def test_timers_of_idle_sessions_are_on_their_records() -> None:
    world = World(settings=SHORT)
    process = await answered(world)
    await tick(world, process, 11)
    [row] = [row for row in world.record.rows.values() if isinstance(row, Session)]
    assert [timer["kind"] for timer in orjson.loads(row.timers)] == ["expiry"]
    [fired] = [one.record for one in world.topics.of(TIMERS)]
    assert isinstance(fired, TimerFired)
    assert fired.kind == "idle"
