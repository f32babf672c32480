"""A fleet with two processes of the API, and a model that takes its time."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from maestro.embedded.stack import EmbeddedStack
from schemas.agent_file import AgentFile, Planning
from schemas.lists import BusyPolicy
from tests.fleet.fleet import Fleet, running_fleet
from tests.fleet.replica import Replica, replica
from tests.fleet.whole_life import SCRIPTS

PARTITIONS = 3
TELLER = AgentFile(id="teller", model="rehearsal:teller", planning=Planning.NONE, tools=("current_time",))
STRICT = TELLER.model_copy(update={"id": "strict", "on_busy": BusyPolicy.REJECT})


@dataclass(frozen=True)
class Edges:
    """A running fleet and two replicas of its edge. `logs` is a folder for those that a test starts."""

    fleet: Fleet
    one: Replica
    other: Replica
    logs: Path


@pytest.fixture(scope="session")
async def edges(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edges]:
    """The fleet, shared by the tests of this folder; a test that kills a replica starts one of its own."""
    folder = tmp_path_factory.mktemp("edge-fleet")
    scripts = folder / "scripts"
    for source in (Path(__file__).parent / "rehearsal", SCRIPTS):
        await asyncio.to_thread(shutil.copytree, source, scripts, dirs_exist_ok=True)
    async with running_fleet(
        stack,
        folder,
        partitions=PARTITIONS,
        extra_env={"MAESTRO_MODEL_REHEARSAL_SCRIPTS": str(scripts)},
    ) as fleet:
        await fleet.apply(TELLER)
        await fleet.apply(STRICT)
        async with (
            replica(fleet, folder, name="api-one") as one,
            replica(fleet, folder, name="api-other") as other,
        ):
            yield Edges(fleet, one, other, folder)
