"""One small fleet for all tests that bring it input: one process of each role, an awkward model."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from maestro.embedded.stack import EmbeddedStack
from schemas.agent_file import AgentFile, Planning
from tests.fleet.effects import FOLDER
from tests.fleet.fleet import running_fleet
from tests.fleet.letters import Letters
from tests.fleet.outside import Outside
from tests.fleet.outsider import Outsider
from tests.fleet.runs import Runs

PARTITIONS = 3
IDLE_S = 2
GRACE_S = 2
ASSISTANT = AgentFile(
    id="assistant", model="rehearsal:awkward", planning=Planning.NONE, tools=("current_time",)
)


@pytest.fixture(scope="session")
async def outside(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Outside]:
    """A running fleet whose default agent is played by the script beside this file."""
    scripts = Path(__file__).parent / "rehearsal"
    effects = tmp_path_factory.mktemp("effects")
    async with running_fleet(
        stack,
        tmp_path_factory.mktemp("outside-fleet"),
        partitions=PARTITIONS,
        extra_env={
            "MAESTRO_MODEL_REHEARSAL_SCRIPTS": str(scripts),
            "MAESTRO_SESSION_IDLE_S": str(IDLE_S),
            "MAESTRO_SESSION_GRACE_S": str(GRACE_S),
            "MAESTRO_TOOL_MODULES": "tests.fleet.effects",
            FOLDER: str(effects),
        },
    ) as fleet:
        await fleet.apply(ASSISTANT)
        runs, letters = Runs(fleet), Letters(fleet)
        await runs.start()
        await letters.start()
        try:
            yield Outside(fleet=fleet, producer=Outsider(fleet), runs=runs, letters=letters, effects=effects)
        finally:
            await letters.stop()
            await runs.stop()
