"""Sessions under load while one process of each role is killed: nothing lost, nothing twice."""

import uuid
from pathlib import Path

import pytest

from maestro.embedded.stack import EmbeddedStack
from schemas import ids
from schemas.agent_file import AgentFile
from schemas.lists import RunStatus
from schemas.records import UserMessage
from tests.fleet import SCRIPTS
from tests.fleet.fleet import ROLES, Fleet, running_fleet
from tests.fleet.runs import reading_runs, sink_is_level
from tests.fleet.verdict import broken_promises

SESSIONS = 300
MESSAGES_PER_SESSION = 3
_AGENT = AgentFile(id="looper", model="rehearsal:loop", tools=("current_time",))


async def _ask(fleet: Fleet, sessions: list[str]) -> list[str]:
    """Send every session's messages, round by round, and return the messages' ids in the order sent."""
    sent: list[str] = []
    for number in range(MESSAGES_PER_SESSION):
        for session in sessions:
            message = ids.new_id()
            await fleet.publish(
                UserMessage(
                    id=message,
                    session_id=session,
                    user_id="alice",
                    content=f"question {number + 1}",
                    agent_id=_AGENT.id,
                )
            )
            sent.append(message)
    return sent


@pytest.mark.chaos
@pytest.mark.timeout(420)
async def test_a_kill_of_each_role_loses_and_repeats_nothing(stack: EmbeddedStack, tmp_path: Path) -> None:
    env = {"MAESTRO_MODEL_REHEARSAL_SCRIPTS": str(SCRIPTS)}
    async with (
        running_fleet(stack, tmp_path, workers=2, extra_env=env) as fleet,
        reading_runs(fleet) as runs,
    ):
        await fleet.apply(_AGENT)
        sessions = [str(uuid.uuid4()) for _ in range(SESSIONS)]
        messages = await _ask(fleet, sessions)
        for number, role in enumerate(ROLES, 1):
            # A kill each time another part of the work is done, so that all roles have work in hand.
            await runs.wait(messages[: number * len(messages) // 10], within_s=120)
            await fleet.supervisor.kill(f"{role}-1")
        await runs.wait(messages, within_s=240)
        await sink_is_level(fleet, within_s=60)
        restarts = {status.name: status.restarts for status in fleet.supervisor.statuses()}
        assert {name for name, count in restarts.items() if count} == {f"{role}-1" for role in ROLES}
        assert {run.status for run in runs.by_message.values()} == {RunStatus.COMPLETED}
        assert {(run.generations, run.tool_calls) for run in runs.by_message.values()} == {(2, 1)}
        assert await broken_promises(fleet, sessions, runs=MESSAGES_PER_SESSION) == []
