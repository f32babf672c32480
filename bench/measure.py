"""Measures systems in turn, window by window: idle, then with more and more sessions at a time.

Machines change their speed from one minute to the next. What is compared is measured in windows of some
seconds, one system after the other and again from the first: all get their share of good and bad times.
"""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.accounting import Usage, usage_by_name
from bench.caller import Caller
from bench.load import Load, closed_loop, joined

_DEADLINE_S = 300.0
WARM_RUNS = 4_000
"""Runs before anything is measured, the same number for every system. A broker that has just been started
compiles itself for thousands of requests: counted over a few hundred runs, that is twice their own work."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to ask in one window: `levels` maps sessions at a time to runs; `warm_runs` come first."""

    levels: Mapping[int, int]
    idle_runs: int
    warm_runs: int = WARM_RUNS


@dataclass(frozen=True, slots=True)
class Window:
    """What one window saw: the load, and CPU seconds by process and of the caller."""

    load: Load
    cpu_s: Mapping[str, float]
    caller_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A system that is running, and how to ask it. `pids` are the processes that work for it."""

    name: str
    caller: Caller
    pids: Mapping[str, int]
    plan: Plan
    say: Callable[[str], None]
    sessions: list[str] = field(init=False)

    def __post_init__(self) -> None:
        many = max(self.plan.levels)
        object.__setattr__(self, "sessions", [str(uuid.uuid4()) for _ in range(many)])

    async def warm_up(self) -> dict[str, float]:
        """Open all sessions and run the system in; return what first messages took, in milliseconds."""
        self.say("first messages")
        first = await self._asked(self.sessions[:1], 1)
        # Most come before those that are measured alone: while Redis is new, steps ask the record first.
        for start in range(21, len(self.sessions), 64):
            part = self.sessions[start : start + 64]
            _ = await self._asked(part, len(part))
        alone = [await self._asked([session], 1) for session in self.sessions[1:21]]
        if self.plan.warm_runs:
            self.say("warming up")
            # Sessions of its own: what is measured has contexts of the size that the floor has.
            _ = await self._asked([str(uuid.uuid4()) for _ in self.sessions], self.plan.warm_runs)
        middle = sorted(load.p50_ms for load in alone)[len(alone) // 2]
        return {"very_first_ms": first.p50_ms, "first_message_p50_ms": middle}

    async def window(self, level: int, runs: int) -> Window:
        """Let `level` sessions ask until `runs` runs have been answered."""
        before, own = usage_by_name(self.pids), time.process_time()
        load = await self._asked(self.sessions[:level], runs)
        own = time.process_time() - own
        return Window(load, _spent(before, usage_by_name(self.pids)), own)

    def memory(self) -> dict[str, Any]:
        """Return what the processes hold now, in megabytes."""
        used = usage_by_name(self.pids)
        return {
            "memory_mb": sum(usage.resident_mb for usage in used.values()),
            "memory_by_process_mb": {name: round(usage.resident_mb, 1) for name, usage in used.items()},
        }

    async def _asked(self, sessions: Sequence[str], runs: int) -> Load:
        return await closed_loop(self.caller.ask, sessions, runs, _DEADLINE_S)


async def measure(systems: Sequence[System], rounds: int) -> dict[str, dict[str, Any]]:
    """Return latency, throughput, CPU seconds per 1,000 runs by process, and memory, of each system."""
    results: dict[str, dict[str, Any]] = {}
    for system in systems:
        results[system.name] = {**await system.warm_up()}
    idle = await _in_turn(systems, rounds, 1, {each.name: each.plan.idle_runs for each in systems}, "idle")
    for name, figures in idle.items():
        results[name] |= {"idle": figures, "levels": {}}
    for level in systems[0].plan.levels:
        runs = {each.name: each.plan.levels[level] for each in systems}
        for name, figures in (await _in_turn(systems, rounds, level, runs, f"{level} sessions")).items():
            results[name]["levels"][str(level)] = figures
    for system in systems:
        results[system.name] |= system.memory()
    return results


async def _in_turn(
    systems: Sequence[System], rounds: int, level: int, runs: Mapping[str, int], what: str
) -> dict[str, dict[str, Any]]:
    windows: dict[str, list[Window]] = {system.name: [] for system in systems}
    for number in range(rounds):
        for system in systems:
            system.say(f"{what}, {number + 1} of {rounds}")
            windows[system.name].append(await system.window(level, runs[system.name]))
    return {name: _figures(seen) for name, seen in windows.items()}


def _figures(windows: Sequence[Window]) -> dict[str, Any]:
    load = joined([window.load for window in windows])
    names = windows[0].cpu_s
    cpu = {name: _per_1000(sum(each.cpu_s[name] for each in windows), load) for name in names}
    return {
        "runs": load.runs,
        "p50_ms": load.p50_ms,
        "p99_ms": load.p99_ms,
        "runs_per_s": load.runs_per_s,
        "runs_per_s_by_window": [round(window.load.runs_per_s, 1) for window in windows],
        "cpu_s_per_1000": sum(cpu.values()),
        "cpu_s_per_1000_by_window": [
            _per_1000(sum(window.cpu_s.values()), window.load) for window in windows
        ],
        "cpu_by_process": cpu,
        "caller_cpu_s_per_1000": _per_1000(sum(each.caller_s for each in windows), load),
    }


def _per_1000(cpu_s: float, load: Load) -> float:
    return round(cpu_s / load.runs * 1000, 4)


def _spent(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> dict[str, float]:
    return {name: after[name].cpu_s - before[name].cpu_s for name in before}
