"""Without any one of these rules the simulation fails: it would notice if the rule were lost."""

from dataclasses import dataclass

import pytest

from tests.simulation.mutations import MUTATIONS
from tests.simulation.world import simulate

NEARBY = 40
"""Seeds that are tried where a known one tells another story by now; `scripts/simulate mutate` finds more."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """A rule, and seeds that notice its absence."""

    rule: str
    seeds: tuple[int, ...]


KNOWN = (
    Noticed("OUTBOX", (1, 57)),
    Noticed("JLOOK", (9, 11)),
    Noticed("EPOCH", (95, 146)),
    Noticed("ONCE", (14, 159)),
    Noticed("FCAS", (162, 191)),
    Noticed("TOKEN", (106, 162)),
    Noticed("BORN", (9, 382)),
    Noticed("MISSED", (432, 2357)),
)


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.rule)
def test_without_a_rule_a_promise_breaks(known: Noticed) -> None:
    candidates = (*known.seeds, *range(known.seeds[0] + 1, known.seeds[0] + NEARBY))
    with MUTATIONS[known.rule].applied():
        assert any(simulate(seed).violations for seed in candidates)


def test_a_rule_is_back_after_it_was_taken_away() -> None:
    for mutation in MUTATIONS.values():
        before = [getattr(place, name) for place, name, _ in mutation.replaced()]
        with mutation.applied():
            pass
        assert [getattr(place, name) for place, name, _ in mutation.replaced()] == before
