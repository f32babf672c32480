"""What a campaign consists of: stints, each with a stack of its own, that can be run alone and add up."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.harness.faults import FAULTS
from tests.chaos.harness.kills import POINTS
from tests.chaos.harness.world import Shape

FULL_ROUNDS = 22
"""How often each point is killed at in a full campaign: more than 500 kills in all."""
FULL_FAULTS = 5
LONG_TOOL = "long tool call"
_LONG_S = 600.0
_FAULTS_PER_STINT = 5
SLOW_RUNS = "kill in 20 slow runs"
_ALONE = frozenset({LONG_TOOL, SLOW_RUNS})
"""Faults that have a stint of their own: they last ten minutes, or measure what others would disturb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stint:
    """Kills at points one after the other, then disturbances, on one stack under one load."""

    shape: Shape
    points: Sequence[str] = ()
    faults: Sequence[str] = ()
    lanes: int = 4
    """Roles that are killed in at the same time."""


def killing_stint(
    *, seed: int, points: Sequence[str], kills: int, static: bool, width: int, lanes: int
) -> Stint:
    """Return a stint of `kills` kills, at each point as often as at the others, in an order of the seed."""
    rounds = -(-kills // len(points))
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
    order = [point for _ in range(rounds) for point in chance.sample(list(points), len(points))]
    return Stint(shape=Shape(seed=seed, static=static, width=width), points=order[:kills], lanes=lanes)


def disturbing_stint(*, seed: int, faults: Sequence[str], width: int, wait_s: float) -> Stint:
    """Return a stint of disturbances; `wait_s` is how long the long tool call takes.

    Names are not kept, so that who is away loses its place; the slow runs are alone, under kept names. Beside
    the long tool call there is little load: it is the time that counts.
    """
    is_measured = SLOW_RUNS in faults
    width = 0 if is_measured else 1 if LONG_TOOL in faults else width
    return Stint(shape=Shape(seed=seed, static=is_measured, width=width, wait_s=wait_s), faults=faults)


def full_campaign(*, width: int, lanes: int) -> list[Stint]:
    """Return all stints: every point with names that are kept and with names that are not, every fault."""
    points = list(POINTS)
    stints = [
        killing_stint(
            seed=seed, points=points, kills=len(points), static=seed % 3 != 1, width=width, lanes=lanes
        )
        for seed in range(FULL_ROUNDS)
    ]
    seed = len(stints)
    for number in range(FULL_FAULTS):
        chance = random.Random(f"faults {number}")  # noqa: S311 - reproducible, not secret
        waiting = chance.sample(list(FAULTS), len(FAULTS))
        alone = [name for name in waiting if name in _ALONE]
        others = [name for name in waiting if name not in _ALONE]
        groups = [[name] for name in alone] + [
            others[at : at + _FAULTS_PER_STINT] for at in range(0, len(others), _FAULTS_PER_STINT)
        ]
        for names in groups:
            stints.append(disturbing_stint(seed=seed, faults=names, width=width, wait_s=_LONG_S))
            seed += 1
    # One at a time: how long a kill alone is felt.
    stints += [
        killing_stint(
            seed=seed + number, points=points, kills=len(points), static=is_kept, width=width, lanes=1
        )
        for number, is_kept in enumerate((True, False))
    ]
    return stints


def part_of(stints: Sequence[Stint], part: str) -> list[Stint]:
    """Return part `i/n` of the stints: every n-th, beginning with the i-th. Raises ValueError."""
    number, _, parts = part.partition("/")
    first, step = int(number), int(parts)
    if not 1 <= first <= step:
        message = f"{part} is no part: write 1/4 for the first of four"
        raise ValueError(message)
    return list(stints[first - 1 :: step])
