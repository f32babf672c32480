"""Kills at named points: park a process there, SIGKILL it, see it come back and what was asked answered."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from telemetry.points import POINTS as NAMED
from tests.chaos.harness.gate import Parked
from tests.chaos.harness.load import Sent
from tests.chaos.harness.results import Kill
from tests.chaos.harness.world import World

_OUTSIDE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "generate.claimed": (
            "generate.working",
            "The first words of the model's answer are there, the others not.",
        ),
        "execute.claimed": ("execute.working", "The tool has done its work and has not returned."),
    }
)
"""Points that the provider and the tools of the harness pass, by the named point before them."""

POINTS: Mapping[str, str] = MappingProxyType(
    dict(
        each
        for name, meaning in NAMED.items()
        for each in ((name, meaning), *((_OUTSIDE[name],) if name in _OUTSIDE else ()))
    )
)
"""Every point where processes are killed, with its meaning."""

Say = Callable[[str], None]

PARK_S = 90.0
ANSWER_S = 120.0
_MOST_PASSES = 4


def role_of(point: str) -> str:
    """Return the role of the crew that passes a point."""
    return point.partition(".")[0]


async def kill_at(world: World, point: str, nth: int, *, lanes: int) -> Kill:
    """Kill whoever passes the point for the `nth` time from now on.

    Raises:
        AssertionError: nobody came there, or the killed process was not ready again in time.

    """
    names = world.crew.of(role_of(point))
    parked = await world.gate.park(names, point, nth=nth, within_s=PARK_S)
    assert parked is not None, f"no process of {names} passed {point} within {PARK_S:.0f} s"
    before = world.load.open()
    at = time.time()
    assert world.crew.members[parked.name].child.pid == parked.pid
    gone_at = await world.crew.kill(parked.name)
    kill = Kill(
        point=point,
        seed=world.shape.seed,
        static=world.shape.static,
        process=parked.name,
        pid=parked.pid,
        at=at,
        gone_at=gone_at,
        lanes=lanes,
        session=parked.session or _session_of(world, parked),
        step=parked.step,
        open=len(before),
    )
    await world.crew.ready([parked.name])
    kill.ready_s = time.time() - at
    await _answers(world, kill, before)
    return kill


async def _answers(world: World, kill: Kill, before: Sequence[Sent]) -> None:
    missing = await world.load.answered([sent.id for sent in before], within_s=ANSWER_S)
    kill.lost = len(missing)
    moments = world.load.answered_at
    times = [moments[sent.id] - kill.at for sent in before if sent.id in moments]
    own = [moments.get(sent.id) for sent in before if sent.session == kill.session]
    kill.all_s = max(times, default=0.0) if not missing else None
    if own and (first := min((each for each in own if each is not None), default=None)) is not None:
        kill.answer_s = first - kill.at


def _session_of(world: World, parked: Parked) -> str | None:
    """Return the session of a step that only its id is known of."""
    return next(
        (sent.session for sent in world.load.sent.values() if parked.step in _first_steps(sent)), None
    )


def _first_steps(sent: Sent) -> Sequence[str]:
    from schemas.ids import generation_id  # noqa: PLC0415

    return [generation_id(sent.run, index) for index in range(4)]


def described(kill: Kill) -> str:
    """Return a line about a kill."""

    def seconds(value: float | None) -> str:
        return "never" if value is None else f"{value:.1f} s"

    return (
        f"{kill.process} killed at {kill.point}: ready after {seconds(kill.ready_s)}, its run answered after"
        f" {seconds(kill.answer_s)}, all {kill.open} open ones after {seconds(kill.all_s)}"
    )


async def kill_all(
    world: World, points: Sequence[str], done: list[Kill], *, lanes: int, say: Say
) -> list[str]:
    """Kill at each point of the list, in several roles at a time, never twice in one role at once.

    Adds to `done` what was done, and returns a sentence for each kill that did not come about as it should.
    """
    waiting = list(points)
    busy: set[str] = set()
    problems: list[str] = []
    changed = asyncio.Condition()

    async def lane() -> None:
        while (point := await _next(waiting, busy, changed)) is not None:
            try:
                done.append(await kill_at(world, point, world.chance.randint(1, _MOST_PASSES), lanes=lanes))
                say(f"{len(done)}/{len(points)} {described(done[-1])}")
            except AssertionError as error:
                problems.append(f"kill at {point}: {error}")
                say(problems[-1])
            finally:
                async with changed:
                    busy.discard(role_of(point))
                    changed.notify_all()

    async with asyncio.TaskGroup() as group:
        for _ in range(lanes):
            group.create_task(lane())
    return problems


async def _next(waiting: list[str], busy: set[str], changed: asyncio.Condition) -> str | None:
    """Take the first point of a role that nobody kills in; None when there is none left."""

    def free() -> str | None:
        return next((point for point in waiting if role_of(point) not in busy), None)

    async with changed:
        await changed.wait_for(lambda: not waiting or free() is not None)
        point = free()
        if point is not None:
            waiting.remove(point)
            busy.add(role_of(point))
        return point
