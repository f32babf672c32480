"""A fork published as the log of an unused session: readers accept it, and workers go on with it."""

import pytest

from schemas import ids
from schemas.lists import Action, CommandKind
from schemas.records import GenerationRequest, Run, SessionCommand, TaskLogs, ToolCall
from schemas.topics import GENERATION_REQUESTS, TASK_LOGS, TOOL_CALLS
from streams.session.event import time_of
from streams.session.fork import Fork
from streams.session.log import fold
from tests.unit.streams.session_shell.world import World, uuid

NEW = "fork"


async def busy() -> World:
    """A world in which one run has ended and another one waits for its tools."""
    world = World()
    world.say("chat", "one")
    await world.settle()
    world.say("chat", "two")
    for _ in range(2):  # the message, then the model's answer
        await world.deliver(world.process(), world.inputs()[0])
        world.work()
    world.record.catch_up_all()
    return world


def published(world: World, *, upto: int | None = None) -> Fork:
    """Fork the session after an entry, and publish the copy as the command does."""
    fork = Fork(uuid("chat"), uuid(NEW), partitions=world.topics.partitions)
    decisions: list[TaskLogs] = []
    for logs in world.record.accepted(uuid("chat")):
        entries = tuple(entry for entry in logs.entries if upto is None or entry.sequence <= upto)
        if entries:
            decisions.append(fork.copied(logs.model_copy(update={"entries": entries})))
    decisions += fork.concluded(forked_by="ann", at=time_of(world.now_ms))
    for logs in decisions:
        world.topics.append(logs)
    return fork


def wake(world: World) -> None:
    world.now_ms += 10
    world.topics.append(
        SessionCommand(
            id=uuid("wake"),
            session_id=uuid(NEW),
            user_id="alice",
            kind=CommandKind.CONFIGURE,
            payload='{"title":"a fork"}',
        )
    )


def asked_by(world: World, session_id: str) -> list[GenerationRequest | ToolCall]:
    return [
        one.record
        for spec in (GENERATION_REQUESTS, TOOL_CALLS)
        for one in world.topics.of(spec)
        if isinstance(one.record, GenerationRequest | ToolCall) and one.record.session_id == session_id
    ]


async def test_a_fork_is_rebuilt_from_its_log_goes_on_and_leaves_its_source_alone() -> None:
    world = await busy()
    fork = published(world)
    wake(world)
    await world.settle()
    world.check("chat")
    assert fold(uuid(NEW), world.record.accepted(uuid(NEW))[:-1]) == fork.context
    assert asked_by(world, uuid(NEW)) == [], "nothing of the source's open run is started again"
    context = world.context(NEW)
    assert (context.title, context.user_id) == ("a fork", "alice")

    message_id = world.say(NEW, "three")
    await world.settle()
    world.check("chat")
    run = world.record.rows[Run, ids.run_id(uuid(NEW), message_id)]
    assert isinstance(run, Run)
    assert run.output == "It is 42."
    assert any(
        "one" in request.messages
        for request in asked_by(world, uuid(NEW))
        if isinstance(request, GenerationRequest)
    )


async def test_nobody_is_told_of_runs_that_ended_before_the_fork() -> None:
    world = await busy()
    published(world)
    wake(world)
    await world.settle()
    told = [record for record in world.topics.order if isinstance(record, Run)]
    assert {run.session_id for run in told} == {uuid("chat")}


@pytest.mark.parametrize("upto", [1, 2, 3, 5, 8, 11])
async def test_a_fork_at_any_entry_can_be_talked_to(upto: int) -> None:
    world = await busy()
    published(world, upto=upto)
    world.say(NEW, "three")
    await world.settle()
    world.record.catch_up_all()
    accepted = world.record.accepted(uuid(NEW))
    actions = [entry.action for logs in accepted for entry in logs.entries]
    assert actions.count(Action.SESSION_FORKED) == 1
    assert actions[-1] is Action.RUN_COMPLETED
    world.check("chat")


async def test_the_rest_of_a_copy_is_void_when_somebody_uses_the_session_meanwhile() -> None:
    world = await busy()
    world.say(NEW, "first")
    await world.settle()
    before = len(world.record.logs[uuid(NEW)])
    fork = published(world)
    world.record.catch_up_all()
    assert len(world.record.logs[uuid(NEW)]) == before
    head = await world.record.head(uuid(NEW))
    assert head.fence
    assert head.hash != fork.context.hash
    world.check(NEW)
    assert any(one.record for one in world.topics.of(TASK_LOGS))
