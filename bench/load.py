"""The caller: a closed loop of sessions, each sending its next message when the last one is answered."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import median

Ask = Callable[[str], Awaitable[None]]
"""Send one message to a session and return when its run has ended."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a closed loop saw: how long each run took, and how long all of it, in seconds."""

    took_s: Sequence[float]
    seconds: float

    @property
    def runs(self) -> int:
        """Finished runs."""
        return len(self.took_s)

    @property
    def p50_ms(self) -> float:
        """The middle of what runs took, in milliseconds."""
        return median(self.took_s) * 1000

    @property
    def p99_ms(self) -> float:
        """What one run in a hundred took longer than, in milliseconds."""
        return quantile(self.took_s, 0.99) * 1000

    @property
    def runs_per_s(self) -> float:
        """Finished runs per second."""
        return self.runs / self.seconds


async def closed_loop(ask: Ask, sessions: Sequence[str], runs: int, deadline_s: float) -> Load:
    """Let every session ask in turn until `runs` runs have been answered in all.

    Raises TimeoutError when they were not answered within `deadline_s` seconds.
    """
    left = runs
    took: list[float] = []

    async def one(session: str) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            began = time.perf_counter()
            await ask(session)
            took.append(time.perf_counter() - began)

    began = time.perf_counter()
    async with asyncio.timeout(deadline_s), asyncio.TaskGroup() as group:
        for session in sessions:
            group.create_task(one(session))
    return Load(took, time.perf_counter() - began)


def joined(loads: Sequence[Load]) -> Load:
    """Return several loads as one."""
    return Load([took for load in loads for took in load.took_s], sum(load.seconds for load in loads))


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
