"""Bad input of every kind on every topic, poured among good messages: each is kept, the good ones go on."""

import time
from collections.abc import Sequence

from schemas import ids
from tests.chaos.harness.world import World
from tests.fleet.letters import Letters
from tests.fleet.outsider import Outsider, Place
from tests.fleet.unreadable import ELSEWHERE, MESSAGES, Unreadable

KINDS: Sequence[Unreadable] = (*MESSAGES, *ELSEWHERE)
KEPT_S = 60.0
ANSWERED_S = 30.0
"""Longest that a good message sent meanwhile may wait for its answer, on a loaded machine."""


async def pour(world: World) -> str:
    """Send every kind once, and see each kept as a dead letter by everybody who reads its topic.

    Raises:
        AssertionError: one is not kept, or for another reason, or a good message waited too long.

    """
    began = time.time()
    producer, letters = Outsider(world.ground), Letters(world.ground)
    await letters.start()
    try:
        places = [(kind, await _sent(producer, kind)) for kind in KINDS]
        for kind, place in places:
            await _kept(letters, kind, place)
    finally:
        await letters.stop()
    world.refused.update((place.topic, place.partition, place.offset) for _, place in places)
    meanwhile = [sent for sent in world.load.sent.values() if sent.at > began]
    assert not await world.load.answered([sent.id for sent in meanwhile], within_s=ANSWERED_S)
    longest = max((world.load.answered_at[sent.id] - sent.at for sent in meanwhile), default=0.0)
    assert longest < ANSWERED_S, f"a good message waited {longest:.0f} s for its answer"
    return f"{len(KINDS)} kinds; a good message waited {longest:.1f} s at most"


async def _sent(producer: Outsider, kind: Unreadable) -> Place:
    key = ids.new_id().encode() if kind.has_key else None
    return await producer.send(kind.spec, kind.value, key=key, is_large=kind.is_large)


async def _kept(letters: Letters, kind: Unreadable, place: Place) -> None:
    found = await letters.reasons(place, stages=frozenset(kind.reasons), within_s=KEPT_S)
    for stage, reason in kind.reasons.items():
        assert reason in found[stage], f"{kind.name}: {stage} kept it as {found[stage]}, not as {reason}"
