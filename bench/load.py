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
    """What a closed loop saw. Times in milliseconds; `seconds` is the length of the measured part."""

    runs: int
    seconds: float
    p50_ms: float
    p99_ms: float

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
    return Load(len(took), time.perf_counter() - began, median(took) * 1000, quantile(took, 0.99) * 1000)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
