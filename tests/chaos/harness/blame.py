"""Which kill each repeated call of the model, or start of a tool, follows from. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.harness.results import Fault, Kill

_AFTER_COMPLETE = ("completed", "published")
_GENTLE = ("scale", "rolling", "doubled", "long tool")
"""Disturbances that cut no process off from anything: work goes on where it runs, and none is repeated."""
_REJOIN_S = 10.0
"""Whoever was cut off may end so long after it is back, with what it works at, and start anew."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One start of a piece of work. `who` is the process that started it: its name or its id."""

    step: str
    who: str | int
    at: float


def repeats(attempts: Sequence[Attempt]) -> list[tuple[Attempt, Attempt]]:
    """Return each attempt that is not the first of its step, behind the one before it."""
    last: dict[str, Attempt] = {}
    found: list[tuple[Attempt, Attempt]] = []
    for attempt in sorted(attempts, key=lambda each: each.at):
        if (before := last.get(attempt.step)) is not None:
            found.append((before, attempt))
        last[attempt.step] = attempt
    return found


def blamed(
    attempts: Sequence[Attempt],
    kills: Sequence[Kill],
    faults: Sequence[Fault],
    problems: list[str],
    what: str,
) -> list[Kill]:
    """Find the kill that each repeat follows from; a repeat without a kill or fault is a problem.

    So is one of a step whose worker was killed when it was completed already.
    """
    found: list[Kill] = []
    for before, again in repeats(attempts):
        guilty = [
            kill
            for kill in kills
            if before.who in (kill.process, kill.pid) and before.at <= kill.gone_at and kill.at <= again.at
        ]
        problems += [
            f"{what} did {again.step} again after it was complete"
            for kill in guilty
            if kill.step == again.step and kill.point.partition(".")[2] in _AFTER_COMPLETE
        ]
        if guilty:
            found.append(guilty[0])
        elif not any(_explains(fault, before, again) for fault in faults):
            problems.append(f"{what} did {again.step} again, and nobody was killed")
    return found


def _explains(fault: Fault, before: Attempt, again: Attempt) -> bool:
    if fault.fault.startswith(_GENTLE):
        return False
    return fault.at <= again.at and before.at <= fault.at + fault.lasted_s + _REJOIN_S
