"""The command `scripts/chaos`: kills at named points, other faults, and the published table."""

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from maestro.embedded.stack import EmbeddedStack
from tests.chaos.harness import report, results, stints
from tests.chaos.harness.breakages import BREAKAGES
from tests.chaos.harness.faults import FAULTS, FORGETTING, disturb
from tests.chaos.harness.judge import EFFECTS, judged, settled
from tests.chaos.harness.kills import POINTS, Say, kill_all
from tests.chaos.harness.results import Fault, Kill, Part
from tests.chaos.harness.stints import Stint
from tests.chaos.harness.world import World, own_stack, running_world
from tests.fleet.effects import all_starts

RESULTS = Path("chaos-results.jsonl")
TABLE = Path("docs/reliability.md")


async def run_stint(
    stack: EmbeddedStack, folder: Path, stint: Stint, *, say: Say
) -> tuple[list[Kill], list[Fault], Part]:
    """Run one stint on a running stack. A broken promise does not raise: it is a problem of the part."""
    began = time.monotonic()
    kills: list[Kill] = []
    faults: list[Fault] = []
    async with running_world(stack, folder, stint.shape) as world:
        say(f"all processes are ready after {time.monotonic() - began:.0f} s")
        problems = await kill_all(world, stint.points, kills, lanes=stint.lanes, say=say)
        for name in stint.faults:
            problems += await _disturbed(world, name, faults, say)
        problems += await settled(world)
        problems += await judged(world, kills, faults, forgot=not FORGETTING.isdisjoint(stint.faults))
        part = _part(world, problems, seconds=time.monotonic() - began)
    return kills, faults, part


async def _disturbed(world: World, name: str, faults: list[Fault], say: Say) -> list[str]:
    try:
        fault = await disturb(world, name)
    except AssertionError as error:
        return [f"{name}: {error}"]
    faults.append(fault)
    say(f"{name} ({fault.detail}), {fault.lasted_s:.0f} s: {fault.open} open, {fault.lost} of them lost")
    return []


def _part(world: World, problems: Sequence[str], *, seconds: float) -> Part:
    starts = {name: all_starts(world.effects, name) for name in EFFECTS}
    return Part(
        seed=world.shape.seed,
        static=world.shape.static,
        seconds=seconds,
        sessions=len(world.load.sessions),
        runs=len(world.load.sent),
        thrice=world.load.thrice,
        generations=len({call.generation for call in world.provider.calls}),
        model_calls=len(world.provider.calls),
        tool_starts={EFFECTS[name]: len(found) for name, found in starts.items()},
        tool_repeats={
            EFFECTS[name]: len(found) - len({each.step_id for each in found})
            for name, found in starts.items()
        },
        fell=[f"{name}: {code}" for name, code in world.crew.fell],
        problems=list(problems),
    )


def say(line: str) -> None:
    """Report progress."""
    _ = sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    _ = sys.stderr.flush()


async def _run(stint: Stint, given: argparse.Namespace) -> bool:
    """Run a stint on a stack of its own and keep its lines; return whether every promise was kept."""
    say(f"seed {stint.shape.seed}: {len(stint.points)} kills, faults: {', '.join(stint.faults) or 'none'}")
    folder = Path(tempfile.mkdtemp(prefix="maestro-chaos-stint-"))
    async with own_stack() as stack:
        kills, faults, part = await run_stint(stack, folder, stint, say=say)
    if not stint.shape.broken:
        results.append(given.results, [*kills, *faults, part])
    for problem in part.problems[:20]:
        say(f"BROKEN: {problem}")
    if part.problems:
        say(f"seed {part.seed} broke {len(part.problems)} promises; logs and effects are in {folder}")
    else:
        say(f"seed {part.seed} kept every promise: {part.runs} runs, {part.seconds:.0f} s")
        shutil.rmtree(folder, ignore_errors=True)
    return not part.problems


def main() -> int:
    """Run what the arguments say; 1 when a promise was broken."""
    # The client says hundreds of times that the broker is away, which is what we want.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    given = _parser().parse_args()
    if given.report:
        TABLE.write_text(report.page(list(results.read(given.results))))
        return 0
    if given.full:
        plan = stints.full_campaign(width=given.width, lanes=given.lanes)
    elif given.fault:
        plan = [
            stints.disturbing_stint(
                seed=given.seed, faults=given.fault, width=given.width, wait_s=given.long_tool_s
            )
        ]
    else:
        points = given.point or list(POINTS)
        plan = [
            stints.killing_stint(
                seed=given.seed,
                points=points,
                kills=given.kills or len(points),
                static=not given.not_static,
                width=given.width,
                lanes=given.lanes,
            )
        ]
    if given.take_away:
        plan = [replace(stint, shape=replace(stint.shape, broken=given.take_away)) for stint in plan]
    is_kept = [asyncio.run(_run(stint, given)) for stint in stints.part_of(plan, given.part)]
    return 0 if all(is_kept) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Kill processes at named points, and judge from outside.")
    add = parser.add_argument
    _ = add("--seed", type=int, default=1, help="decides the order of points, passes and questions")
    _ = add("--point", action="append", choices=list(POINTS), help="only here; may be repeated")
    _ = add("--fault", action="append", choices=list(FAULTS), help="instead of kills; may be repeated")
    _ = add("--kills", type=int, help="how many; by default one at each point")
    _ = add("--full", action="store_true", help="every point and every fault, many times")
    _ = add("--part", default="1/1", help="of the stints, for example 2/40 for the second of forty parts")
    _ = add("--report", action="store_true", help=f"write {TABLE} from the results")
    _ = add("--results", type=Path, default=RESULTS, help="file that results are added to")
    _ = add("--not-static", action="store_true", help="names are not kept over restarts: partitions move")
    _ = add("--take-away", choices=list(BREAKAGES), help="a rule, to see that its loss is noticed")
    _ = add("--width", type=int, default=8, help="sessions at a time")
    _ = add("--lanes", type=int, default=4, help="roles that are killed in at a time")
    _ = add("--long-tool-s", type=float, default=20.0, help="seconds of the long tool call")
    return parser


if __name__ == "__main__":
    sys.exit(main())
