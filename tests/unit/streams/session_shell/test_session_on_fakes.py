"""A conversation from message to answer through the real role and step, on fakes of all around them."""

import pytest

from schemas.errors import TransientError
from schemas.lists import Action, RunStatus
from schemas.records import ConversationMessage, GenerationRequest, Run, Session, TaskLogs, ToolCall
from schemas.topics import TASK_LOGS, USER_MESSAGES
from streams.session.context import RECENT_RUNS
from tests.unit.streams.session_shell.world import World, uuid


async def test_a_message_comes_back_as_an_answer_through_model_and_tools() -> None:
    world = World()
    message_id = world.say("chat", "What is the answer?")
    turns = await world.settle()
    world.check("chat")
    actions = [entry.action for one in world.record.accepted(uuid("chat")) for entry in one.entries]
    assert actions[:4] == [
        Action.SESSION_CREATED,
        Action.MESSAGE_RECEIVED,
        Action.RUN_STARTED,
        Action.GENERATION_REQUESTED,
    ]
    assert actions[-1] is Action.RUN_COMPLETED
    assert actions.count(Action.TOOL_CALLED) == actions.count(Action.TOOL_SUCCEEDED) == 2
    [run] = [row for row in world.record.rows.values() if isinstance(row, Run)]
    assert (run.status, run.output, run.message_id) == (RunStatus.COMPLETED, "It is 42.", message_id)
    assert len(turns) == 5


async def test_a_second_message_waits_for_the_first_run() -> None:
    world = World()
    world.say("chat", "one")
    world.say("chat", "two")
    await world.settle()
    world.check("chat")
    runs = [row for row in world.record.rows.values() if isinstance(row, Run)]
    assert [run.status for run in runs] == [RunStatus.COMPLETED] * 2
    orders = [
        row.sequence_order for row in world.record.rows.values() if isinstance(row, ConversationMessage)
    ]
    assert sorted(orders) == list(range(1, len(orders) + 1))


async def test_a_conversation_goes_on_after_its_context_is_gone() -> None:
    world = World()
    world.say("chat", "one")
    await world.settle()
    world.redis.flush()
    world.say("chat", "two")
    await world.settle()
    world.check("chat")
    [session] = [row for row in world.record.rows.values() if isinstance(row, Session)]
    assert session.term == world.record.fences[uuid("chat")] > 1


async def test_a_decisions_logs_are_published_before_anything_else_of_it() -> None:
    world = World()
    world.say("chat", "one")
    world.say("chat", "two")
    await world.settle()
    order = world.topics.order
    published = {
        entry.sequence: place
        for place, record in enumerate(order)
        if isinstance(record, TaskLogs)
        for entry in record.entries
    }
    outputs = [
        (place, record)
        for place, record in enumerate(order)
        if isinstance(record, ConversationMessage | ToolCall | GenerationRequest)
    ]
    assert len(outputs) > 10
    assert all(published[record.sequence] < place for place, record in outputs)
    states = [(place, one) for place, one in enumerate(order) if isinstance(one, Run | Session)]
    assert all(published[one.version] < place for place, one in states)


async def test_a_message_whose_run_was_forgotten_waits_until_kafka_says_where_the_logs_end() -> None:
    world = World()
    for number in range(RECENT_RUNS + 2):
        world.say("chat", f"message {number}")
        await world.settle()
    first = next(world.topics.of(USER_MESSAGES)).message
    world.topics.without_leader.add(world.topics.names.full(TASK_LOGS))
    process = world.process()
    with pytest.raises(TransientError, match="task-logs"):
        await process.role.step(first)
    world.topics.without_leader.clear()
    logs = list(world.record.logs[uuid("chat")])
    await process.role.step(first)
    assert world.record.logs[uuid("chat")] == logs
    world.check("chat")
