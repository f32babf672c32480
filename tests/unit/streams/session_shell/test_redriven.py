"""Every input of a session driven again out of the dead letters, in any order and twice: nothing changes."""

from random import Random

import pytest

from bus.redrive import Origin, redriven_headers
from schemas.lists import CommandKind
from schemas.records import SessionCommand, UserMessage
from streams.runtime.record import Record as Message
from streams.session.role import INPUTS
from tests.unit.streams.session_shell.world import World, uuid

OFFSETS_BEYOND = 1_000


async def told(world: World) -> None:
    """A session with messages with and without ids, tool calls, commands, and more than it remembers."""
    world.say("chat", "one")
    world.topics.append(UserMessage(session_id=uuid("chat"), user_id="alice", content="without an id"))
    await world.settle()
    for title in ("first", "second"):
        world.topics.append(
            SessionCommand(
                session_id=uuid("chat"),
                user_id="alice",
                kind=CommandKind.CONFIGURE,
                payload=f'{{"title":"{title}"}}',
            )
        )
    for number in range(4):
        world.say("chat", f"and {number}")
    await world.settle()


def again(world: World, message: Message, number: int) -> Message:
    """The message as it comes back the `number`th time that something comes back."""
    origin = Origin(message.topic, message.partition, message.offset)
    headers = redriven_headers(message.headers, origin=origin, letter=f"0:{number}", times=1)
    world.now_ms += 10
    kept = tuple((name, content or b"") for name, content in headers)
    offset = OFFSETS_BEYOND + number
    return Message(message.topic, message.partition, offset, world.now_ms, message.key, message.value, kept)


@pytest.mark.parametrize("seed", range(4))
async def test_all_inputs_of_a_session_may_come_back_in_any_order(seed: int) -> None:
    world = World()
    await told(world)
    world.check("chat")
    before = world.outcome("chat")
    back = [one.message for spec in INPUTS for one in world.topics.of(spec)] * 2
    Random(seed).shuffle(back)  # noqa: S311  a drawn order, told by its seed
    process = world.process()
    for number, message in enumerate(back):
        await process.role.step(again(world, message, number))
    await world.settle()
    world.check("chat")
    assert world.outcome("chat") == before
