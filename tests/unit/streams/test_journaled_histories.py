"""Histories of one step: attempts die anywhere, one after another; Redis forgets and time passes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import TransientError
from schemas.lists import EffectClass, ToolOutcome
from tests.unit.streams.paid_world import LEASE_S, START_MS, Killed, Process, World, away

_LATEST_PLACE = 14


@dataclass(frozen=True)
class Attempt:
    """One delivery: where and how it ends, and what happens before the next."""

    at: int
    how: Callable[[], BaseException]
    passes_ms: int
    is_flushed: bool


ATTEMPTS = st.builds(
    Attempt,
    at=st.integers(1, _LATEST_PLACE),
    how=st.sampled_from([Killed, asyncio.CancelledError, away]),
    # Shorter than a lease, longer than a lease, longer than the journal keeps.
    passes_ms=st.sampled_from([int(LEASE_S * 1000) + 1, 20_000, 3_700_000]),
    is_flushed=st.booleans(),
)


async def live(world: World, attempts: list[Attempt]) -> list[tuple[int, bool]]:
    """Run the history; return calls so far and whether a result was out, after each attempt."""
    seen: list[tuple[int, bool]] = []
    for attempt in attempts:
        try:
            async with asyncio.timeout(5):
                await world.run(Process(attempt.at, attempt.how))
        except (Killed, asyncio.CancelledError, TransientError):
            pass
        seen.append((world.calls, bool(world.published)))
        if attempt.is_flushed:
            world.redis.flush()
        world.now_ms += attempt.passes_ms
    async with asyncio.timeout(5):
        await world.run()
    seen.append((world.calls, bool(world.published)))
    return seen


@settings(max_examples=150)
@given(
    effect=st.sampled_from([EffectClass.PURE, EffectClass.ONCE, EffectClass.RECONCILE]),
    is_young=st.booleans(),
    attempts=st.lists(ATTEMPTS, max_size=5),
)
def test_a_step_has_one_result_whatever_its_history(
    effect: EffectClass, is_young: bool, attempts: list[Attempt]
) -> None:
    world = World(effect=effect, born_ms=START_MS + (1 if is_young else 3_600_000))
    seen = asyncio.run(live(world, attempts))
    assert world.published
    assert len({(each.outcome, each.result) for each in world.published}) == 1
    if effect is not EffectClass.PURE:
        assert world.calls <= 1
    for (calls, is_out), (later, _) in pairwise(seen):
        assert later == calls or not is_out, "called again although the result was out"


@settings(max_examples=80)
@given(attempts=st.lists(ATTEMPTS, max_size=4), can_tell=st.booleans())
def test_what_a_reconciling_tool_did_is_never_called_a_failure(
    attempts: list[Attempt], can_tell: bool
) -> None:
    # A hook that is cancelled by something else than its step cannot tell; that is another story.
    attempts = [each for each in attempts if each.how is not asyncio.CancelledError]
    world = World(effect=EffectClass.RECONCILE, can_tell=can_tell)
    _ = asyncio.run(live(world, attempts))
    outcome = world.published[0].outcome
    if can_tell:
        assert outcome is ToolOutcome.SUCCEEDED
        assert world.published[0].result == "1"
    else:
        assert outcome in {ToolOutcome.SUCCEEDED, ToolOutcome.OUTCOME_UNKNOWN}
        assert (world.calls == 1) or outcome is ToolOutcome.OUTCOME_UNKNOWN
