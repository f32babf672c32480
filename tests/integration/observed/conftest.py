"""One house for all tests of this folder, with some traffic behind it: good messages, and bad ones."""

import uuid
from collections.abc import AsyncIterator

import pytest

from bus.deadletter import PREFIX
from bus.reader import Start, TopicReader
from maestro.embedded.stack import EmbeddedStack
from schemas import ids, topics
from schemas.lists import CommandKind
from schemas.records import SessionCommand, UserMessage
from tests.fleet.fleet import Fleet
from tests.fleet.runs import reading_runs, sink_is_level
from tests.integration.observed.house import MARKER, SESSIONS, Deadline, House, running_house

WITHIN_S = 60.0
_BAD = (
    MARKER.encode(),
    b'{"' + MARKER.encode() + b'": ',
    b'["' + MARKER.encode() + b'"]',
    b'{"session_id": "' + MARKER.encode() + b'", "user_id": "u", "content": "c"}',
    b'{"session_id": 7, "user_id": {"a": "'
    + MARKER.encode()
    + b'"}, "content": ["'
    + MARKER.encode()
    + b'"]}',
    b"\x00\x00\x00\x00\x07" + MARKER.encode(),
    b"\x00\x7f\xff\xff\xff" + MARKER.encode(),
    b"\xff\xfe" + MARKER.encode(),
)
_BAD_AT = (
    topics.USER_MESSAGES,
    topics.SESSION_COMMANDS,
    topics.GENERATION_REQUESTS,
    topics.GENERATIONS,
    topics.TOOL_CALLS,
    topics.TOOL_RESULTS,
    topics.MESSAGES,
    topics.DOCUMENTS,
    topics.SESSIONS,
)


@pytest.fixture(scope="session")
async def house(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """The house after the traffic: every good message answered, every bad one a dead letter."""
    async with running_house(stack, tmp_path_factory.mktemp("observed")) as running:
        await _bring_traffic(running.fleet)
        yield running


async def _bring_traffic(fleet: Fleet) -> None:
    sent: list[str] = []
    async with reading_runs(fleet) as runs:
        for number in range(SESSIONS):
            sent.append(ids.new_id())
            await fleet.publish(
                UserMessage(id=sent[-1], session_id=ids.new_id(), user_id="u", content=f"{MARKER} {number}")
            )
        await _send_bad(fleet)
        await runs.wait(sent, within_s=WITHIN_S)
    await sink_is_level(fleet, within_s=WITHIN_S)


async def _send_bad(fleet: Fleet) -> None:
    wanted: set[tuple[str, int, int]] = set()
    for spec in _BAD_AT:
        for value in _BAD:
            placed = await fleet.publisher.send_raw(
                fleet.names.full(spec), partition=0, key=MARKER.encode(), value=value, headers=()
            )
            wanted.add((placed.topic, placed.partition, placed.offset))
    # A command for a session that does not exist can be read, and is refused by the step itself.
    command = SessionCommand(
        session_id=str(uuid.uuid4()), user_id="u", kind=CommandKind.ARCHIVE, reason=f"{MARKER} again"
    )
    await fleet.publish(command)
    await _are_kept(fleet, wanted)


async def _are_kept(fleet: Fleet, wanted: set[tuple[str, int, int]]) -> None:
    """Wait until there is a dead letter of each place."""
    deadline = Deadline(WITHIN_S)
    missing = set(wanted)
    async with TopicReader(
        fleet.kafka, [fleet.names.full(topics.DEAD_LETTERS)], start=Start.BEGINNING
    ) as reader:
        while missing:
            deadline.check(f"dead letters of {sorted(missing)[:5]}")
            for message in await reader.read(timeout_s=1.0):
                said = {name: (content or b"").decode() for name, content in message.headers}
                place = [said[f"{PREFIX}{part}"] for part in ("topic", "partition", "offset")]
                missing.discard((place[0], int(place[1]), int(place[2])))
