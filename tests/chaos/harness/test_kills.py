"""A few kills at named points and a failover of Redis on real services: every promise kept."""

from dataclasses import replace
from pathlib import Path

import pytest

from maestro.embedded.stack import EmbeddedStack
from tests.chaos.harness.campaign import run_stint
from tests.chaos.harness.stints import killing_stint

SEED = 20_261
POINTS = (
    "session.barrier_passed",
    "session.logs_published",
    "generate.called",
    "generate.completed",
    "execute.working",
    "sink.written",
)
"""Where most is in the air: the long campaign has all of them."""
FAULT = "redis failover"


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_what_is_killed_or_disturbed_loses_and_repeats_nothing(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    said: list[str] = []
    kills_only = killing_stint(seed=SEED, points=POINTS, kills=len(POINTS), static=True, width=5, lanes=2)
    stint = replace(kills_only, faults=(FAULT,))
    kills, faults, part = await run_stint(stack, tmp_path, stint, say=said.append)
    assert not part.problems, said
    assert sorted(kill.point for kill in kills) == sorted(POINTS)
    assert [fault.fault for fault in faults] == [FAULT]
    assert sum(each.lost for each in (*kills, *faults)) == 0
    assert part.tool_starts["once"] > 0
    assert part.tool_repeats["once"] == 0
