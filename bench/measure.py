"""Measures one system: first messages, idle, then more and more sessions at a time."""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.accounting import Usage, usage_by_name
from bench.caller import Caller
from bench.load import closed_loop

_DEADLINE_S = 300.0
WARM_RUNS = 4_000
"""Runs before anything is measured, the same number for every system. A broker that has just been started
compiles itself for thousands of requests: counted over a few hundred runs, that is twice their own work."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to ask: `levels` maps sessions at a time to runs; `warm_runs` come before them all."""

    levels: Mapping[int, int]
    idle_runs: int
    warm_runs: int = WARM_RUNS


def say_nothing(_line: str) -> None:
    """Report no progress."""


async def measure(
    caller: Caller, pids: Mapping[str, int], plan: Plan, say: Callable[[str], None] = say_nothing
) -> dict[str, Any]:
    """Return latency, throughput, CPU seconds per 1,000 runs by process, and memory at the end."""
    sessions = [str(uuid.uuid4()) for _ in range(max(plan.levels))]
    say("first messages")
    first = await closed_loop(caller.ask, sessions[:1], 1, _DEADLINE_S)
    # The others come before those that are measured alone: while Redis is new, steps ask the record first.
    await closed_loop_once(caller, sessions[21:])
    alone = [await closed_loop(caller.ask, [session], 1, _DEADLINE_S) for session in sessions[1:21]]
    if plan.warm_runs:
        say("warming up")
        # Sessions of its own: what is measured has contexts of the size that the floor has.
        others = [str(uuid.uuid4()) for _ in sessions]
        _ = await closed_loop(caller.ask, others, plan.warm_runs, _DEADLINE_S)
    say("idle")
    idle = await _level(caller, pids, sessions[:1], plan.idle_runs)
    levels: dict[str, Any] = {}
    for level, runs in plan.levels.items():
        say(f"{level} sessions")
        levels[str(level)] = await _level(caller, pids, sessions[:level], runs)
    memory = usage_by_name(pids)
    return {
        "very_first_ms": first.p50_ms,
        "first_message_p50_ms": sorted(load.p50_ms for load in alone)[len(alone) // 2],
        "idle": idle,
        "levels": levels,
        "memory_mb": sum(usage.resident_mb for usage in memory.values()),
        "memory_by_process_mb": {name: round(usage.resident_mb, 1) for name, usage in memory.items()},
    }


async def closed_loop_once(caller: Caller, sessions: list[str]) -> None:
    """Let every session ask its first message."""
    for start in range(0, len(sessions), 64):
        part = sessions[start : start + 64]
        await closed_loop(caller.ask, part, len(part), _DEADLINE_S)


async def _level(caller: Caller, pids: Mapping[str, int], sessions: list[str], runs: int) -> dict[str, Any]:
    before, own = usage_by_name(pids), time.process_time()
    load = await closed_loop(caller.ask, sessions, runs, _DEADLINE_S)
    own = time.process_time() - own
    cpu = _spent(before, usage_by_name(pids), load.runs)
    return {
        "runs": load.runs,
        "p50_ms": load.p50_ms,
        "p99_ms": load.p99_ms,
        "runs_per_s": load.runs_per_s,
        "cpu_s_per_1000": sum(cpu.values()),
        "cpu_by_process": cpu,
        "caller_cpu_s_per_1000": own / load.runs * 1000,
    }


def _spent(before: Mapping[str, Usage], after: Mapping[str, Usage], runs: int) -> dict[str, float]:
    return {name: round((after[name].cpu_s - before[name].cpu_s) / runs * 1000, 4) for name in before}
