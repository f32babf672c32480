"""The way back from the record: fences, tokens, what is pending, and what is owed."""

import asyncio

import pytest

from schemas.errors import TransientError
from schemas.partition import partition_of
from schemas.records import GenerationRequest, Run, TaskLogs, ToolCall
from schemas.topics import GENERATION_REQUESTS, TASK_LOGS, TOOL_CALLS, USER_MESSAGES
from stores.redis.contexts import Stored
from streams.session.context import RECENT_RUNS
from streams.session.role import INPUTS
from tests.fakes.redis_stores import FakeContexts
from tests.unit.streams.session_shell.process import Process
from tests.unit.streams.session_shell.world import World, uuid


def logs_of(world: World) -> list[TaskLogs]:
    return [one.record for one in world.topics.of(TASK_LOGS) if isinstance(one.record, TaskLogs)]


async def until_tools_are_asked(world: World) -> Process:
    """The session waits for two tools; nobody has answered."""
    world.say("chat", "one")
    process = world.process()
    await world.deliver(process, world.inputs()[0])
    world.work()
    await world.deliver(process, world.inputs()[0])
    assert len(world.context("chat").pending) == 2
    return process


async def test_a_new_session_begins_with_a_fence_of_no_predecessor() -> None:
    world = World()
    world.say("chat", "one")
    await world.deliver(world.process(), world.inputs()[0])
    fence, first = logs_of(world)
    assert (fence.fence_previous, fence.entries, fence.user_id) == (0, (), "-")
    assert first.term == 1


async def test_pending_steps_are_asked_for_again_with_their_original_birth() -> None:
    world = World()
    await until_tools_are_asked(world)
    before = [one.record for one in world.topics.of(TOOL_CALLS)]
    world.redis.flush()
    world.now_ms += 60_000
    world.say("chat", "two")
    await world.deliver(world.process(), world.inputs()[0])
    after = [one.record for one in world.topics.of(TOOL_CALLS)][len(before) :]
    again = {(call.id, call.born_at, call.arguments) for call in after if isinstance(call, ToolCall)}
    assert again == {(call.id, call.born_at, call.arguments) for call in before if isinstance(call, ToolCall)}
    assert len(after) == 2


async def test_a_pending_step_of_an_older_decision_is_asked_for_again_too() -> None:
    world = World()
    world.say("chat", "one")
    process = world.process()
    await world.deliver(process, world.inputs()[0])
    world.say("chat", "two")
    await world.deliver(process, world.inputs()[0])
    world.redis.flush()
    world.say("chat", "three")
    await world.deliver(world.process(), world.inputs()[0])
    requests = [one.record for one in world.topics.of(GENERATION_REQUESTS)]
    assert len(requests) == 2
    first, second = (request for request in requests if isinstance(request, GenerationRequest))
    assert (first.id, first.born_at, first.messages) == (second.id, second.born_at, second.messages)


async def test_a_rebuilt_context_has_its_timers_again_and_is_stored_though_nothing_is_decided() -> None:
    world = World()
    process = await until_tools_are_asked(world)
    first = next(one.message for spec in INPUTS for one in world.topics.of(spec))
    world.redis.flush()
    logs = len(logs_of(world))
    await world.deliver(process, first)
    world.check("chat", is_finished=False)
    shard = world.redis.shard(first.partition)
    assert uuid("chat") in shard.contexts
    assert len(shard.timers) == 2
    assert [one.is_fence for one in logs_of(world)[logs:]] == [True]


async def test_a_repeated_message_decides_nothing_and_publishes_nothing() -> None:
    world = World()
    process = await until_tools_are_asked(world)
    first = next(one.message for spec in INPUTS for one in world.topics.of(spec))
    published = [len(list(world.topics.of(spec))) for spec in (TASK_LOGS, TOOL_CALLS, GENERATION_REQUESTS)]
    await world.deliver(process, first)
    assert published == [
        len(list(world.topics.of(spec))) for spec in (TASK_LOGS, TOOL_CALLS, GENERATION_REQUESTS)
    ]


async def test_another_process_publishes_the_stored_decision_again_and_the_same_one_does_not() -> None:
    world = World()
    process = await until_tools_are_asked(world)
    first = next(one.message for spec in INPUTS for one in world.topics.of(spec))
    await world.deliver(process, first)
    assert len(logs_of(world)) == 3
    await world.deliver(world.process(), first)
    assert len(logs_of(world)) == 4
    assert logs_of(world)[2] == logs_of(world)[3]


async def test_a_context_of_another_format_is_given_up_without_losing_its_last_decision() -> None:
    world = World()
    world.say("chat", "one")
    process = world.process()
    waiting = world.inputs()[0]
    partition = waiting.partition
    task = process.start(waiting)
    async with asyncio.timeout(10):
        while uuid("chat") not in world.redis.shard(partition).contexts:  # noqa: ASYNC110 - a fake has no event
            await asyncio.sleep(0)
    process.kill()
    await asyncio.wait({task}, timeout=10)
    assert [logs.is_fence for logs in logs_of(world)] == [True]
    kept = world.redis.shard(partition).contexts[uuid("chat")]
    assert kept.stored.outbox
    kept.stored = Stored(b'{"format":99}', kept.stored.outbox, kept.stored.term, kept.stored.version)
    await world.settle()
    assert logs_of(world)[1].term == kept.stored.term
    world.check("chat")
    assert world.record.fences[uuid("chat")] > kept.stored.term


async def test_who_gives_up_an_unreadable_context_keeps_its_last_writer_out() -> None:
    world = World()
    process = await until_tools_are_asked(world)
    partition = next(one.message.partition for one in world.topics.of(TASK_LOGS))
    contexts = FakeContexts(world.redis)
    loaded = await contexts.load(partition, uuid("chat"), leave_token=False)
    assert loaded.stored is not None
    old = loaded.stored
    shard = world.redis.shard(partition)
    shard.contexts[uuid("chat")].stored = Stored(b"from elsewhere", old.outbox, old.term, old.version)
    world.work()
    await world.deliver(process, world.inputs()[0])
    refused = await contexts.store(
        partition,
        uuid("chat"),
        epoch=loaded.epoch.id,
        expected=(old.term, old.version),
        new=old,
        ttl_s=60,
    )
    assert refused is False
    await world.settle()
    world.check("chat")


async def test_a_message_whose_run_the_context_has_dropped_is_looked_up_in_the_record() -> None:
    world = World()
    world.say("chat", "message 0")
    await world.settle()
    first = next(one.message for one in world.topics.of(USER_MESSAGES))
    for number in range(1, RECENT_RUNS + 2):
        world.say("chat", f"message {number}")
        await world.settle()
    assert world.context("chat").runs_dropped > 0
    before = world.context("chat").sequence
    await world.deliver(world.process(), first)
    world.check("chat")
    assert world.context("chat").sequence == before
    world.say("chat", "a new one")
    await world.settle()
    world.check("chat")
    assert world.context("chat").sequence > before


async def test_a_run_that_only_a_void_decision_recorded_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    for number in range(RECENT_RUNS + 2):
        world.say("chat", f"message {number}")
        await world.settle()

    # The filter of forgotten runs may say "perhaps" of any run.
    def perhaps(_forgotten: bytes, _run_id: str) -> bool:
        return True

    monkeypatch.setattr("streams.session.applied.may_have", perhaps)
    world.say("chat", "lost")
    [lost] = world.inputs()
    frozen = world.process()
    shard = world.redis.shard(partition_of(uuid("chat"), world.topics.partitions))
    before = world.context("chat").sequence
    task = frozen.start(lost)
    async with asyncio.timeout(10):
        while shard.contexts[uuid("chat")].stored.version == before:  # noqa: ASYNC110 - a fake has no event
            await asyncio.sleep(0)
    frozen.freeze()
    world.redis.flush()
    world.say("chat", "another")
    other = await world.deliver(world.process(), world.inputs()[-1])
    world.zombies.append((frozen, task))
    await world.wake_zombies()
    world.record.catch_up_all()
    assert world.record.void == 1
    await world.deliver(other, lost)
    world.work()
    await world.settle()
    [run] = [row for row in world.record.rows.values() if isinstance(row, Run) and row.input == "lost"]
    assert run.id in {row.run_id for row in world.record.logs[uuid("chat")]}


async def test_an_outbox_of_a_newer_version_waits_for_one_that_can_read_it() -> None:
    world = World()
    await until_tools_are_asked(world)
    partition = partition_of(uuid("chat"), world.topics.partitions)
    kept = world.redis.shard(partition).contexts[uuid("chat")]
    old = kept.stored
    kept.stored = Stored(old.context, b'{"entries":[{"action":"of the future"}]}', old.term, old.version)
    world.work()
    with pytest.raises(TransientError, match="upgrade this worker"):
        await world.process().start(world.inputs()[0])
    assert world.dead == []
    kept.stored = old
    await world.settle()
    world.check("chat")
