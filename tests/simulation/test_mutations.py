"""Without any one of these rules the simulation fails: it would notice if the rule were lost."""

from dataclasses import dataclass

import pytest

from tests.simulation.faults import FAULTS
from tests.simulation.mutations import MUTATIONS
from tests.simulation.world import Options, simulate

LATE = ("freeze", "flush-and-freeze", "flush")
"""Faults that let processes wake up in a world that has moved on."""
NEARBY = 40
"""Seeds that are tried where a known one tells another story by now; `scripts/simulate mutate` finds more."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """A rule, and seeds that notice its absence."""

    rule: str
    seeds: tuple[int, ...]
    faults: tuple[str, ...] = tuple(FAULTS)


KNOWN = (
    Noticed("OUTBOX", (1, 57)),
    Noticed("JLOOK", (2, 3)),
    Noticed("EPOCH", (95, 146)),
    Noticed("ONCE", (65,)),
    Noticed("FCAS", (119,)),
    Noticed("TOKEN", (112,)),
    Noticed("BORN", (146, 228), LATE),
)


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.rule)
def test_without_a_rule_a_promise_breaks(known: Noticed) -> None:
    candidates = (*known.seeds, *range(known.seeds[0] + 1, known.seeds[0] + NEARBY))
    options = Options(faults=known.faults)
    with MUTATIONS[known.rule].applied():
        assert any(simulate(seed, options).violations for seed in candidates)


def test_a_rule_is_back_after_it_was_taken_away() -> None:
    for mutation in MUTATIONS.values():
        before = [getattr(place, name) for place, name, _ in mutation.replaced()]
        with mutation.applied():
            pass
        assert [getattr(place, name) for place, name, _ in mutation.replaced()] == before
