"""One seeded chaos run of the runtime, and the command that makes many in a row."""

import argparse
import asyncio
import logging
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from maestro.embedded.part import PartName
from maestro.embedded.settings import EmbeddedSettings
from maestro.embedded.stack import EmbeddedStack
from tests.chaos.runtime import history
from tests.chaos.runtime.fleet import Fleet, wait_until
from tests.chaos.runtime.traffic import Traffic, make_traffic, produce, wait_for_no_lag

DRAIN_LIMIT_S = 10.0
SETTINGS = {
    "session_timeout_s": 6.0,
    "heartbeat_interval_s": 1.0,
    "drain_limit_s": DRAIN_LIMIT_S,
    "max_in_flight": 16,
}
MESSAGES = 600
KEYS = 30
KILLS = 4
OVER_S = 15.0
LAG_LIMIT_S = 75.0
MEMBER_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Report:
    """What one seed did and found."""

    seed: int
    seconds: float
    kills: int
    restarts: int
    broker_kills: int
    messages: int
    repeats: int
    problems: tuple[str, ...]


def kafka_only(folder: Path) -> EmbeddedStack:
    """Return an embedded stack that starts nothing but Kafka."""
    return EmbeddedStack(
        EmbeddedSettings(data_dir=folder),
        external={
            PartName.POSTGRES: "postgresql://unused.invalid/",
            PartName.REDIS: "redis://unused.invalid/",
        },
    )


class Chaos:
    """The disturbances of one seed."""

    def __init__(self, seed: int, stack: EmbeddedStack, fleet: Fleet, kills: int) -> None:
        self.kills = 0
        self.restarts = 0
        self.broker_kills = 0
        self._random = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self._stack = stack
        self._fleet = fleet
        self._planned_kills = kills
        self._has_broker_kill = seed % 3 == 1

    async def run(self) -> None:
        """Kill workers at random moments, the broker in some seeds; then restart every worker in turn."""
        actions = [self._kill_worker] * self._planned_kills + [self._kill_broker] * self._has_broker_kill
        self._random.shuffle(actions)
        for action in actions:
            await asyncio.sleep(self._random.uniform(0.5, 4.0))
            await action()
        await self._rolling_restart()

    async def _kill_worker(self) -> None:
        name = self._random.choice(self._fleet.names)
        self._fleet.kill(name)
        self.kills += 1
        await asyncio.sleep(self._random.uniform(0.0, 1.0))
        self._fleet.start(name)

    async def _kill_broker(self) -> None:
        await self._stack.kill(PartName.KAFKA)
        await asyncio.sleep(self._random.uniform(0.5, 2.0))
        await self._stack.start_part(PartName.KAFKA)
        self.broker_kills += 1

    async def _rolling_restart(self) -> None:
        for name in self._fleet.names:
            await all_ready(self._fleet)
            code = await self._fleet.stop(name, DRAIN_LIMIT_S + 5)
            assert code == 0, f"{name} ended with {code} after SIGTERM"
            self._fleet.start(name)
            self.restarts += 1
            await asyncio.sleep(self._random.uniform(0.0, 1.5))


async def run_seed(
    seed: int, stack: EmbeddedStack, folder: Path, *, kills: int = KILLS, over_s: float = OVER_S
) -> Report:
    """Run one seed on a running broker. A broken promise does not raise: it is a problem in the report."""
    began = time.monotonic()
    traffic = await make_traffic(stack.urls.kafka_bootstrap)
    fleet = Fleet(
        folder,
        topics=traffic.topics,
        group=traffic.group,
        bootstrap=traffic.bootstrap,
        mean_step_s=0.01,
        static=seed % 3 == 2,
        event_loop="auto" if seed % 2 else "asyncio",
        settings=SETTINGS,
    )
    chaos = Chaos(seed, stack, fleet, kills)
    problems: list[str] = []
    produced: list[str] = []
    tending = asyncio.create_task(fleet.tend())
    sending: asyncio.Task[list[str]] | None = None
    try:
        for number in range(2 + seed % 2):
            fleet.start(f"w{number}")
        await all_ready(fleet)
        sending = asyncio.create_task(produce(traffic, count=MESSAGES, keys=KEYS, over_s=over_s))
        await chaos.run()
        produced = await sending
        await _settle(fleet, traffic)
    except AssertionError as error:
        problems.append(str(error))
    finally:
        tending.cancel()
        if sending is not None:
            sending.cancel()
            await asyncio.wait((sending,), timeout=10)
        fleet.end()
    facts = fleet.facts
    problems += find_problems(fleet, facts, produced)
    return Report(
        seed=seed,
        seconds=time.monotonic() - began,
        kills=chaos.kills,
        restarts=chaos.restarts,
        broker_kills=chaos.broker_kills,
        messages=len(produced),
        repeats=history.repeats(facts),
        problems=tuple(problems),
    )


async def _settle(fleet: Fleet, traffic: Traffic) -> None:
    await all_ready(fleet)
    await wait_for_no_lag(traffic, LAG_LIMIT_S)
    assert not fleet.unexpected_ends, f"workers ended by themselves: {fleet.unexpected_ends}"
    codes = await asyncio.gather(*(fleet.stop(name, DRAIN_LIMIT_S + 5) for name in fleet.names))
    assert set(codes) == {0}, f"exit codes after SIGTERM: {codes}"


async def all_ready(fleet: Fleet) -> None:
    """Return when every worker is a working member of the group."""
    for name in fleet.names:
        await wait_until(f"{name} is a member", lambda name=name: fleet.is_ready(name), MEMBER_LIMIT_S)


def find_problems(fleet: Fleet, facts: list[history.Fact], produced: list[str]) -> list[str]:
    """Return what the journals show to be wrong."""
    found = {
        "lost": history.missing(facts, produced),
        "out of order": history.out_of_order(facts),
        "two of a key at once": history.crowded_lanes(facts),
        "in two processes at once": history.overlaps(history.spans(facts, fleet.deaths)),
        "partition sets that differ": [
            line for line in fleet.log.splitlines() if "partition sets differ" in line
        ],
    }
    return [f"{name}: {len(wrong)} ({wrong[:5]})" for name, wrong in found.items() if wrong]


async def count_lost_natively(stack: EmbeddedStack, folder: Path, *, kills: int = 6) -> int:
    """Kill a worker written as Faust's documentation has it; return how many messages were lost."""
    traffic = await make_traffic(stack.urls.kafka_bootstrap)
    fleet = Fleet(
        folder,
        script=Path(__file__).with_name("native_process.py"),
        topics=traffic.topics,
        group=traffic.group,
        bootstrap=traffic.bootstrap,
        mean_step_s=0.03,
    )
    try:
        fleet.start("native")
        await all_ready(fleet)
        sending = asyncio.create_task(produce(traffic, count=MESSAGES, keys=KEYS, over_s=kills * 8.0))
        for _ in range(kills):
            await asyncio.sleep(2.0)
            fleet.kill("native")
            fleet.start("native")
            await all_ready(fleet)
        produced = await sending
        await wait_for_no_lag(traffic, LAG_LIMIT_S)
    finally:
        fleet.end()
    return len(history.missing(fleet.facts, produced))


def say(line: str) -> None:
    """Write a line to standard output, now."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main(argv: list[str]) -> int:
    """Run seeds one after another and print a line for each; exit code 1 when any broke a promise."""
    parser = argparse.ArgumentParser(description="Chaos runs of the runtime on a real Kafka.")
    parser.add_argument("--seeds", type=int, default=10, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--native", action="store_true", help="show what Faust's own concurrency loses")
    options = parser.parse_args(argv)
    # While the broker is away the client complains a hundred times a second.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix="maestro-chaos-"))
    failed = 0
    async with kafka_only(folder / "data") as stack:
        for seed in range(options.first, options.first + options.seeds):
            report = await run_seed(seed, stack, folder / f"seed-{seed}")
            failed += bool(report.problems)
            say(
                f"seed {seed}: {'FAILED' if report.problems else 'passed'} in {report.seconds:.0f} s,"
                f" {report.kills} kills, {report.broker_kills} broker kills, {report.restarts} restarts,"
                f" {report.messages} messages, {report.repeats} repeated"
            )
            for problem in report.problems:
                say(f"  {problem}")
        if options.native:
            lost = await count_lost_natively(stack, folder / "native")
            say(f"Faust's own concurrency=16, 6 kills: {lost} of {MESSAGES} messages lost")
    say(
        f"{options.seeds - failed} of {options.seeds} seeds passed"
        + (f"; journals in {folder}" if failed else "")
    )
    if not failed:
        shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
