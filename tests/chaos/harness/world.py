"""Everything of one part of a campaign: services, processes, provider, load, and a person who answers."""

import random
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from maestro.embedded.folder import DataFolder
from maestro.embedded.settings import EmbeddedSettings
from maestro.embedded.stack import EmbeddedStack
from tests.chaos.harness.breakages import BROKEN
from tests.chaos.harness.crew import Crew, running_crew
from tests.chaos.harness.gate import Gate, open_gate
from tests.chaos.harness.load import Load, running_load
from tests.chaos.harness.model import Provider, running_provider
from tests.chaos.harness.tools import SECONDS
from tests.fleet.effects import FOLDER
from tests.fleet.fleet import Ground, prepared_ground
from tests.fleet.person import Person

IDLE_S = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large the world is. `static`: members keep their place over restarts, as in `maestro dev`."""

    seed: int = 0
    workers: int = 2
    width: int = 10
    static: bool = True
    broken: str = ""
    """A rule that is taken away, to see that the verdict notices."""
    wait_s: float = 20.0
    """Seconds that the long tool call takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A running part."""

    shape: Shape
    stack: EmbeddedStack
    ground: Ground
    gate: Gate
    crew: Crew
    provider: Provider
    load: Load
    effects: Path
    chance: random.Random
    refused: set[tuple[str, int, int]]
    """Topic, partition and offset of what was sent to be refused."""


@asynccontextmanager
async def own_stack() -> AsyncGenerator[EmbeddedStack]:
    """Run embedded services in a folder of their own, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="maestro-chaos-"))
    folder.chmod(0o711)  # PostgreSQL's user passes through when this runs as root
    try:
        async with EmbeddedStack(EmbeddedSettings(data_dir=folder / "stack")) as stack:
            yield stack
    finally:
        DataFolder(folder / "stack").remove()
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def running_world(stack: EmbeddedStack, folder: Path, shape: Shape) -> AsyncGenerator[World]:
    """Run all of it on a running stack until the context closes."""
    effects = folder / "effects"
    effects.mkdir(parents=True)
    socket = folder / "gate"
    env = {
        "MAESTRO_TOOL_MODULES": "tests.fleet.effects,tests.chaos.harness.tools",
        SECONDS: str(shape.wait_s),
        BROKEN: shape.broken,
        "MAESTRO_SESSION_IDLE_S": str(IDLE_S),
        FOLDER: str(effects),
    }
    async with AsyncExitStack() as open_:
        ground = await open_.enter_async_context(prepared_ground(stack, extra_env=env))
        gate = await open_.enter_async_context(open_gate(socket))
        provider = await open_.enter_async_context(running_provider(gate))
        crew = await open_.enter_async_context(
            running_crew(
                ground,
                folder,
                socket=socket,
                model_root=provider.root,
                static=shape.static,
                workers=shape.workers,
            )
        )
        await open_.enter_async_context(Person(ground))
        load = await open_.enter_async_context(running_load(ground, seed=shape.seed, width=shape.width))
        yield World(
            shape=shape,
            stack=stack,
            ground=ground,
            gate=gate,
            crew=crew,
            provider=provider,
            load=load,
            effects=effects,
            chance=random.Random(shape.seed),  # noqa: S311 - reproducible, not secret
            refused=set(),
        )
