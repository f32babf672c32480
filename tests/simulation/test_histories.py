"""Histories of trouble keep every promise; a seed tells the same story wherever it is told."""

import hashlib
import os
import subprocess
import sys

import pytest

from tests.simulation.world import Options, Outcome, simulate

BLOCK = 20
SEEDS = 300
FAST_SEEDS = 60


def check(outcomes: list[Outcome], *, fast_path: bool = False) -> None:
    """Every promise held; otherwise say how to see it again."""
    flag = " --fast-path" if fast_path else ""
    broken = [
        f"{each.promise}: {each.what}\n    scripts/simulate one {outcome.seed}{flag}"
        for outcome in outcomes
        for each in outcome.violations
    ]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_every_history_keeps_the_promises(first: int) -> None:
    check([simulate(seed) for seed in range(first, first + BLOCK)])


@pytest.mark.parametrize("first", range(0, FAST_SEEDS, BLOCK))
def test_every_history_keeps_the_promises_with_the_fast_path(first: int) -> None:
    options = Options(fast_path=True)
    check([simulate(seed, options) for seed in range(first, first + BLOCK)], fast_path=True)


def test_histories_are_full_of_what_they_are_for() -> None:
    seen = sum((simulate(seed).counts for seed in range(BLOCK)), start=simulate(0).counts)
    assert {"kill", "freeze", "fail", "flush", "failover", "move"} <= seen.keys()


def test_a_seed_tells_the_same_story_in_every_process() -> None:
    told = {_story("1"), _story("2")}
    assert len(told) == 1


def _story(hash_seed: str) -> str:
    program = "from tests.simulation.test_histories import story\nprint(story(7))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    return done.stdout


def story(seed: int) -> str:
    """What is the same in every telling: who called what and when; made-up tokens differ."""
    trace = simulate(seed, Options(is_traced=True)).trace
    calls = "\n".join(line.partition("(")[0] for line in trace)
    return hashlib.sha256(calls.encode()).hexdigest()
