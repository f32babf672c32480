"""What may be set apart, and what must stop the sink."""

from typing import Any

import pytest

from schemas.errors import ErrorCode, FatalError
from schemas.lists import DeadLetterReason
from schemas.topics import AGENTS, MESSAGES, TASK_LOGS
from sinks.ports import Refused
from sinks.rejects import Rejects
from tests.unit.sinks.sent import Sent

LIMIT = 3


class Box:
    """Remembers what was put into it."""

    def __init__(self) -> None:
        self.offsets: list[int] = []

    async def put(self, *, offset: int, **_: Any) -> None:
        self.offsets.append(offset)


def refused(topic: str, offset: int, reason: DeadLetterReason = DeadLetterReason.UNDECODABLE) -> Refused:
    return Refused(Sent(offset, partition=2, topic=topic), reason, "it starts with 0x3f")


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def rejects(box: Box) -> Rejects:
    topics = {spec.name: spec for spec in (MESSAGES, TASK_LOGS, AGENTS)}
    return Rejects(box, topics, limit=LIMIT, window_s=60)


@pytest.mark.parametrize("topic", ["messages", "task-logs"])
async def test_garbage_becomes_a_dead_letter_up_to_the_limit(box: Box, rejects: Rejects, topic: str) -> None:
    for offset in range(LIMIT):
        await rejects.refuse([refused(topic, offset)])
    with pytest.raises(FatalError, match="MAESTRO_SINK_REFUSED_LIMIT"):
        await rejects.refuse([refused(topic, LIMIT)])
    assert box.offsets == list(range(LIMIT))


async def test_what_others_write_is_not_counted(box: Box, rejects: Rejects) -> None:
    await rejects.refuse([refused("agents", offset) for offset in range(10 * LIMIT)])
    assert len(box.offsets) == 10 * LIMIT


async def test_a_log_record_that_a_newer_version_may_have_written_stops_the_sink(
    box: Box, rejects: Rejects
) -> None:
    unknown = DeadLetterReason.UNKNOWN_SCHEMA
    await rejects.refuse([refused("messages", 1, unknown)])
    with pytest.raises(FatalError, match="partition 2, offset 7 of task-logs") as raised:
        await rejects.refuse([refused("messages", 2), refused("task-logs", 7, unknown)])
    assert raised.value.code is ErrorCode.UNKNOWN_SCHEMA
    assert box.offsets == [1]
