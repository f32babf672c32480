"""Redis forgets everything and the broker restarts while tools of every effect class run."""

from pathlib import Path

import pytest

from maestro.embedded.stack import EmbeddedStack
from tests.chaos.sessions.storm import MESSAGES_PER_SESSION, Plan, weather

SESSIONS = 30


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_a_flush_and_a_broker_restart_lose_nothing_and_start_nothing_twice(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    said: list[str] = []
    plan = Plan(sessions=SESSIONS, flushes=1, broker_restarts=1, within_s=200)
    report = await weather(stack, tmp_path, plan, said.append)
    assert not report.problems, said
    assert report.runs.total() == SESSIONS * MESSAGES_PER_SESSION
    assert report.starts["charge"] > 0
