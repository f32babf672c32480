"""Disturbances that are no kill at a point: freezes, restarts, outages, lost stores, doubled workers."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from maestro.embedded.part import PartName
from schemas import ids
from schemas.agent_file import AgentFile, Limits
from stores.redis.connection import RedisConnection
from tests.chaos.harness.crew import ROLES
from tests.chaos.harness.kills import ANSWER_S
from tests.chaos.harness.load import PLAIN
from tests.chaos.harness.model import SLOWLY
from tests.chaos.harness.poison import pour
from tests.chaos.harness.results import Fault
from tests.chaos.harness.tools import BRIEF
from tests.chaos.harness.tools import NAME as WAIT
from tests.chaos.harness.world import World
from tests.fleet.effects import all_starts

FROZEN_S = 14.0
"""Longer than the broker waits for a heartbeat of a member without a static name (10 s)."""
OLDER_BY_S = 3.0
DOUBLED_S = 15.0
SLOW_RUNS = 20
PATIENT = AgentFile(
    id="patient", model=PLAIN.model, tools=(WAIT, BRIEF), tool_deadline_s=1800, limits=Limits(seconds=3600)
)

_WORKERS = ("session", "generate", "execute")

Disturb = Callable[[World], Awaitable[str]]


def _freeze(role: str) -> Disturb:
    async def disturb(world: World) -> str:
        """Freeze a process until it has lost its membership, then let it run on."""
        name = world.chance.choice(world.crew.of(role))
        world.crew.freeze(name)
        await asyncio.sleep(FROZEN_S)
        world.crew.thaw(name)
        return name

    return disturb


async def _rolling(world: World) -> str:
    """Stop every process with SIGTERM and start it again, one after the other."""
    codes = set[int | None]()
    names = [name for role in ROLES for name in world.crew.of(role)]
    for name in names:
        codes.add(await world.crew.stop(name, again=True))
        await world.crew.ready([name])
    assert codes == {0}, f"exit codes after SIGTERM: {codes}"
    return f"{len(names)} processes"


def _scale(role: str) -> Disturb:
    async def disturb(world: World) -> str:
        """Go down to one process, up to three, and back to one; then to as many as before."""
        first, *others = world.crew.of(role)
        for name in others:
            await world.crew.stop(name, again=False)
        more = [world.crew.add(role, number) for number in (8, 9)]
        await world.crew.ready(more)
        for name in more:
            await world.crew.stop(name, again=False)
        await world.crew.ready([first])
        for name in others:
            world.crew.start(name)
        await world.crew.ready(others)
        return role

    return disturb


def _away(part: PartName, seconds: float) -> Disturb:
    async def disturb(world: World) -> str:
        """Kill a service and start it again after so many seconds."""
        await world.stack.kill(part)
        await asyncio.sleep(seconds)
        await world.stack.start_part(part)
        return f"{seconds:.0f} s"

    return disturb


async def _flush(world: World) -> str:
    """Let Redis forget everything."""
    redis = RedisConnection(world.ground.redis)
    await redis.start(world.ground.topics.partitions)
    try:
        await redis.command(b"FLUSHALL")
    finally:
        await redis.stop()
    return ""


async def _fail_over(world: World) -> str:
    """Put an older state of Redis, which lacks the last writes, in its place on the same port."""
    folder = world.stack.folder.root / "redis"
    older = folder.with_name("redis-older")
    await asyncio.to_thread(shutil.copytree, folder, older)
    await asyncio.sleep(OLDER_BY_S)
    await world.stack.kill(PartName.REDIS)
    await asyncio.to_thread(_replace, folder, older)
    await world.stack.start_part(PartName.REDIS)
    return f"{OLDER_BY_S:.0f} s of writes lost"


def _replace(folder: Path, older: Path) -> None:
    shutil.rmtree(folder)
    older.rename(folder)


async def _long_tool(world: World) -> str:
    """Call a tool that takes its time, and add a worker while it runs, so that partitions move."""
    load, session = world.load, ids.new_id()
    await world.ground.apply(PATIENT)
    slow = await load.ask(session, PATIENT, 0, f"please {WAIT}")
    await load.ask(session, PATIENT, 0, "and then")
    deadline = time.monotonic() + 60
    while not all_starts(world.effects, WAIT):
        assert time.monotonic() < deadline, "the long tool call did not start"
        await asyncio.sleep(0.2)
    added = world.crew.add("execute", 7)
    await world.crew.ready([added])
    missing = await load.answered([slow], within_s=world.shape.wait_s * 3 + 60)
    assert not missing, "the long tool call has no answer"
    await world.crew.stop(added, again=False)
    starts = len(all_starts(world.effects, WAIT))
    assert starts == 1, f"the long tool call was started {starts} times"
    return f"{world.shape.wait_s:.0f} s, one start"


async def _slow_runs(world: World) -> str:
    """Start twenty runs of model, tool and model, two seconds each, and kill a worker once among them."""
    load = world.load
    await world.ground.apply(PATIENT)
    began = time.monotonic()
    sessions = [ids.new_id() for _ in range(SLOW_RUNS)]
    asked = [await load.ask(session, PATIENT, 0, f"{SLOWLY} {BRIEF}") for session in sessions]
    role = world.chance.choice(_WORKERS)
    point = f"{role}.{'decided' if role == 'session' else 'working'}"
    parked = await world.gate.park(world.crew.of(role), point, nth=SLOW_RUNS // 4, within_s=30)
    assert parked is not None, f"nobody came to {point}"
    await world.crew.kill(parked.name)
    missing = await load.answered(asked, within_s=ANSWER_S)
    assert not missing, f"{len(missing)} of {SLOW_RUNS} slow runs have no answer"
    took_s = time.monotonic() - began
    for session in sessions:
        await load.ask(session, PATIENT, 0, "thank you")
    return f"all {SLOW_RUNS} answered {took_s:.1f} s after the first was asked, a {role} worker killed"


def _doubled(role: str) -> Disturb:
    async def disturb(world: World) -> str:
        """Put a second worker on every partition: one of another group, which begins at the beginning."""
        name = world.crew.add(role, 6, group=f"-again-{world.chance.randrange(10**6)}")
        await world.crew.ready([name])
        await asyncio.sleep(DOUBLED_S)
        await world.crew.stop(name, again=False)
        return role

    return disturb


FAULTS: Mapping[str, Disturb] = MappingProxyType(
    {
        **{f"freeze {role}": _freeze(role) for role in ROLES},
        **{f"scale {role} 1-3-1": _scale(role) for role in ROLES},
        **{f"doubled {role}": _doubled(role) for role in _WORKERS},
        "rolling restart": _rolling,
        "broker restart": _away(PartName.KAFKA, 1.0),
        "broker away 90 s": _away(PartName.KAFKA, 90.0),
        "redis restart": _away(PartName.REDIS, 1.0),
        "redis flush": _flush,
        "redis failover": _fail_over,
        "postgres restart": _away(PartName.POSTGRES, 1.0),
        "postgres away 60 s": _away(PartName.POSTGRES, 60.0),
        "long tool call": _long_tool,
        "bad input": pour,
        "kill in 20 slow runs": _slow_runs,
    }
)
"""Every disturbance by its name."""

FORGETTING = frozenset(name for name in FAULTS if name.startswith("redis"))
"""After these, Redis need not have what it had."""


async def disturb(world: World, name: str) -> Fault:
    """Let one disturbance happen under load, and see that what was asked until its end is answered.

    Raises:
        AssertionError: a process was not ready again in time, or ended in a way that it must not.

    """
    at = time.time()
    detail = await FAULTS[name](world)
    ended = time.time()
    before = world.load.open()
    missing = await world.load.answered([sent.id for sent in before], within_s=ANSWER_S)
    await world.crew.ready(within_s=ANSWER_S)
    moments = [world.load.answered_at.get(sent.id, ended) for sent in before]
    return Fault(
        fault=name,
        seed=world.shape.seed,
        at=at,
        lasted_s=ended - at,
        all_s=None if missing else max(moments, default=ended) - ended,
        open=len(before),
        lost=len(missing),
        detail=detail,
    )
