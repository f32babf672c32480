"""A process that lost its group for good exits, and whoever watches it starts it again."""

import asyncio
import sys
from pathlib import Path

import pytest

from maestro.embedded.folder import DataFolder
from maestro.embedded.keeper import RoleSpec, RoleState
from maestro.embedded.supervisor import Supervisor
from tests.fleet.fleet import READY_LIMIT_S
from tests.integration.observed.house import Deadline, House, environment

WITHIN_S = 60.0


@pytest.mark.timeout(240)
@pytest.mark.parametrize("arguments", [("worker", "generate"), ("sink", "recents")], ids=" ".join)
async def test_a_lost_membership_ends_the_process_and_the_supervisor_starts_it_again(
    house: House, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    word, data = tmp_path / "now", tmp_path / "data"
    data.mkdir()
    supervisor = Supervisor(
        [RoleSpec(name="victim", arguments=arguments, env={"SABOTAGE": str(word)})],
        folder=DataFolder(data),
        env=environment(house.fleet),
        program=(sys.executable, "-m", "tests.integration.observed.saboteur"),
        stop_grace_s=20.0,
    )
    async with supervisor:
        await supervisor.wait_ready(READY_LIMIT_S)
        (before,) = supervisor.statuses()
        word.touch()
        deadline = Deadline(WITHIN_S)
        while True:
            (after,) = supervisor.statuses()
            if after.restarts and after.state is RoleState.READY:
                break
            deadline.check(f"started again and ready: {after}")
            await asyncio.sleep(0.1)
        assert (after.restarts, after.pid != before.pid) == (1, True)
        assert not word.exists()
    assert "the task that keeps the group membership has ended" in Path(after.log).read_text()
