"""`bench loop`: whole runs (message, model, tool, model, answer) beside bare aiokafka, on one broker."""

import argparse
import tempfile
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from bench.floor import floor
from bench.folder import bench_folder
from bench.maestro_system import maestro
from bench.measure import Plan, System, measure
from bench.summary import LEVELS, cpu_lines, ratios, table
from maestro.embedded.settings import EmbeddedSettings
from maestro.embedded.stack import EmbeddedStack

_SYSTEMS = ("floor_kafka", "floor", "maestro")
_COMPARED = 128
"""The sessions at a time at which systems are compared."""
_RUNS_PER_S_GUESS = {"floor": (100, 1200, 2500, 2500), "maestro": (60, 150, 250, 250)}
_err = Console(stderr=True, highlight=False)


def plan_of(kind: str, seconds: float, wanted: Collection[int] = LEVELS) -> Plan:
    """Return runs per level so that each takes about `seconds` on a machine like those it was made on."""
    guesses = _RUNS_PER_S_GUESS[kind]
    levels = {
        level: max(2 * level, int(guess * seconds))
        for level, guess in zip(LEVELS, guesses, strict=True)
        if level in wanted
    }
    return Plan(levels=levels, idle_runs=int(guesses[0] * seconds))


async def run(
    seconds: float, rounds: int, logs: str, systems: Collection[str], levels: Collection[int] = LEVELS
) -> dict[str, Any]:
    """Measure every system on one embedded stack and return the results by name."""
    with bench_folder() as folder:
        async with (
            EmbeddedStack(EmbeddedSettings(data_dir=folder / "data")) as stack,
            AsyncExitStack() as running,
        ):
            urls = stack.urls
            pids = stack.pids()
            makers = {
                "floor_kafka": partial(floor, urls.kafka_bootstrap, None),
                "floor": partial(floor, urls.kafka_bootstrap, urls.redis_url),
                "maestro": partial(maestro, urls),
            }
            started: list[System] = []
            for name in systems:
                kind = "maestro" if name == "maestro" else "floor"
                used = {"kafka": pids["kafka"], "redis": pids["redis"]}
                if name == "maestro":
                    used["postgres"] = pids["postgres"]
                say: Callable[[str], None] = partial(_say, name)
                say("starting")
                caller = await running.enter_async_context(makers[name](used, logs))
                plan = plan_of(kind, seconds, levels)
                started.append(System(name=name, caller=caller, pids=used, plan=plan, say=say))
            return await measure(started, rounds)


def _say(name: str, line: str) -> None:
    _err.print(f"{name}: {line}", style="dim")


async def main(arguments: list[str]) -> int:
    """Run the benchmark, print the table, write JSON where asked."""
    parser = argparse.ArgumentParser(prog="scripts/bench loop", description=__doc__)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="about how long each window lasts (default 4)"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="windows of each system at each level, in turn (default 3)"
    )
    parser.add_argument(
        "--only", nargs="+", default=_SYSTEMS, choices=_SYSTEMS, help="measure these systems (default all)"
    )
    parser.add_argument(
        "--levels",
        nargs="+",
        type=int,
        default=LEVELS,
        choices=LEVELS,
        help="sessions at a time (default all); ratios need 128",
    )
    parser.add_argument("--logs", default=tempfile.gettempdir(), help="folder for the logs of the processes")
    options = parser.parse_args(arguments)
    results = await run(options.seconds, options.rounds, options.logs, options.only, options.levels)
    print(table(results))
    if _COMPARED in options.levels:
        print()
        print("CPU seconds per 1,000 runs by process at 128 sessions")
        print(cpu_lines(results))
    if {"floor", "maestro"} <= results.keys() and _COMPARED in options.levels:
        results["ratio"] = ratios(results["floor"], results["maestro"])
        print(
            "ratio to the floor with Redis: " + ", ".join(f"{k} {v:.2f}" for k, v in results["ratio"].items())
        )
    if options.json:
        options.json.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))
    return 0
