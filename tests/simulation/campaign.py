"""Many seeds, one seed with its trace, or a rule taken away: the command behind `scripts/simulate`."""

# ruff: noqa: T201 - it is a command

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice

from tests.simulation.faults import FAULTS
from tests.simulation.mutations import MUTATIONS
from tests.simulation.world import Options, Outcome, simulate

_PROGRESS_S = 10.0
_SHOWN = 5


@dataclass
class Summary:
    """What a campaign found."""

    seeds: int = 0
    failing: list[int] = field(default_factory=list[int])
    promises: Counter[str] = field(default_factory=Counter[str])
    counts: Counter[str] = field(default_factory=Counter[str])

    def add(self, outcome: Outcome) -> None:
        """Count one seed."""
        self.seeds += 1
        self.counts += outcome.counts
        if outcome.violations:
            self.failing.append(outcome.seed)
            self.promises.update({each.promise for each in outcome.violations})


@dataclass(frozen=True, slots=True)
class Task:
    """One seed for a worker of the pool."""

    seed: int
    options: Options
    mutation: str | None


def lived(task: Task) -> Outcome:
    """Simulate one seed, without a rule where one is named."""
    applied = nullcontext() if task.mutation is None else MUTATIONS[task.mutation].applied()
    with applied:
        return simulate(task.seed, task.options)


def outcomes(tasks: Iterable[Task], jobs: int) -> Iterator[Outcome]:
    """Yield the outcomes of all tasks as they come."""
    if jobs == 1:
        yield from map(lived, tasks)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(lived, tasks, chunksize=8)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 when every promise held (for `mutate`: when one broke)."""
    options = _parser().parse_args(arguments)
    if options.command == "one":
        return _one(options)
    if options.command == "rules":
        print("\n".join(f"{name:<11} {each.rule}" for name, each in MUTATIONS.items()))
        return 0
    summary = _campaign(options)
    if options.json:
        print(json.dumps(_as_json(summary, options)))
    else:
        _print_summary(summary, options)
    if options.command == "mutate":
        return 0 if summary.failing else 1
    return 1 if summary.failing else 0


def _campaign(options: argparse.Namespace) -> Summary:
    first, _, last = options.seeds.partition(":")
    mutation = options.rule if options.command == "mutate" else None
    tasks = (Task(seed, _options(options), mutation) for seed in range(int(first), int(last)))
    summary, told_s = Summary(), time.monotonic()
    found = outcomes(tasks, options.jobs)
    for outcome in found:
        summary.add(outcome)
        if outcome.violations and len(summary.failing) <= _SHOWN:
            _report(outcome, options)
        if time.monotonic() - told_s > _PROGRESS_S:
            told_s = time.monotonic()
            print(f"… {summary.seeds} seeds, {len(summary.failing)} failing", file=sys.stderr, flush=True)
        if options.stop_after and len(summary.failing) >= options.stop_after:
            break
    return summary


def _report(outcome: Outcome, options: argparse.Namespace) -> None:
    for each in islice(outcome.violations, _SHOWN):
        print(f"seed {outcome.seed}: {each.promise}: {each.what}", file=sys.stderr)
    print(f"    replay: {_replay(outcome.seed, options)}", file=sys.stderr, flush=True)


def _replay(seed: int, options: argparse.Namespace) -> str:
    words = ["scripts/simulate", "one", str(seed)]
    if options.fast_path:
        words.append("--fast-path")
    if options.faults:
        words += ["--faults", options.faults]
    if options.command == "mutate":
        words += ["--without", options.rule]
    return " ".join(words)


def _one(options: argparse.Namespace) -> int:
    outcome = lived(Task(options.seed, _options(options, is_traced=True), options.without))
    print("\n".join(outcome.trace))
    for each in outcome.violations:
        print(f"broken {each.promise}: {each.what}")
    print(f"seed {outcome.seed}: {len(outcome.violations)} violations; {dict(outcome.counts)}")
    return 1 if outcome.violations else 0


def _options(options: argparse.Namespace, *, is_traced: bool = False) -> Options:
    faults = tuple(options.faults.split(",")) if options.faults else tuple(FAULTS)
    return Options(faults=faults, is_traced=is_traced, fast_path=options.fast_path)


def _print_summary(summary: Summary, options: argparse.Namespace) -> None:
    what = f"without {options.rule}" if options.command == "mutate" else "with all rules"
    print(f"{summary.seeds} seeds {what}: {len(summary.failing)} failing {dict(summary.promises)}")
    if summary.failing:
        print(f"first failing seed {min(summary.failing)}: {_replay(min(summary.failing), options)}")
    print(", ".join(f"{name} {count}" for name, count in sorted(summary.counts.items())))


def _as_json(summary: Summary, options: argparse.Namespace) -> dict[str, object]:
    return {
        "seeds": options.seeds,
        "run": summary.seeds,
        "without": options.rule if options.command == "mutate" else None,
        "fast_path": options.fast_path,
        "failing": sorted(summary.failing),
        "promises": dict(summary.promises),
        "counts": dict(summary.counts),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--fast-path", action="store_true", help="with the fast path for new sessions")
    shared.add_argument("--faults", default="", help=f"only these, separated by commas: {', '.join(FAULTS)}")
    many = argparse.ArgumentParser(add_help=False, parents=[shared])
    many.add_argument("--seeds", default="0:1000", help="FIRST:LAST, the last one excluded")
    many.add_argument("--jobs", type=int, default=2, help="processes")
    many.add_argument("--stop-after", type=int, default=0, help="stop after so many failing seeds")
    many.add_argument("--json", action="store_true", help="the summary as JSON on stdout")
    commands.add_parser("run", parents=[many], help="many seeds; exit code 1 when a promise broke")
    mutate = commands.add_parser(
        "mutate", parents=[many], help="without one rule; exit code 1 when nothing broke"
    )
    mutate.add_argument("rule", choices=sorted(MUTATIONS))
    one = commands.add_parser("one", parents=[shared], help="one seed, with its trace")
    one.add_argument("seed", type=int)
    one.add_argument("--without", choices=sorted(MUTATIONS), help="take a rule away")
    commands.add_parser("rules", help="what can be taken away")
    return parser


if __name__ == "__main__":
    sys.exit(main())
