"""What is done more than once is counted: takeovers, tools started again, tokens bought again."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from schemas.lists import EffectClass
from streams.generate.job import GenerateJob
from tests.unit.streams.generate.feeds import ATTEMPT
from tests.unit.streams.generate.test_job import FakeModel, job
from tests.unit.streams.paid_world import LEASE_S, Killed, Process, World, taken_over_while_frozen


def value(name: str, **labels: str) -> float:
    """A counter of this process."""
    return REGISTRY.get_sample_value(name, labels) or 0


class Counted:
    """What the counters gained since this was made."""

    def __init__(self) -> None:
        self._before = self._now()

    @property
    def gained(self) -> dict[str, float]:
        """Only those that changed."""
        now = self._now()
        return {name: now[name] - before for name, before in self._before.items() if now[name] != before}

    def _now(self) -> dict[str, float]:
        repeated = "maestro_tool_starts_repeated_total"
        return {
            "taken over": value("maestro_lease_takeovers_total", role="execute"),
            "lost": value("maestro_leases_lost_total", role="execute"),
            "replayed": value("maestro_steps_replayed_total", role="execute"),
            "certain": value(repeated, effect="pure", certainty="certain"),
            "possible": value(repeated, effect="pure", certainty="possible"),
            "once": value(repeated, effect="once", certainty="possible")
            + value(repeated, effect="once", certainty="certain"),
        }


def place_of(name: str, effect: EffectClass) -> int:
    """The number of a place in an undisturbed run."""
    process = Process()
    asyncio.run(World(effect=effect).run(process))
    return process.places.index(name) + 1


PLACES = [
    pytest.param(
        EffectClass.PURE, "after claim", {"taken over": 1, "possible": 1}, id="killed before the start"
    ),
    pytest.param(
        EffectClass.PURE, "after the effect", {"taken over": 1, "possible": 1}, id="killed after the start"
    ),
    pytest.param(EffectClass.ONCE, "after claim", {"taken over": 1}, id="a once tool is started first"),
    pytest.param(EffectClass.PURE, "after complete", {"replayed": 1}, id="killed when it was recorded"),
    pytest.param(
        EffectClass.ONCE, "after the effect", {"taken over": 1}, id="a once tool is not started again"
    ),
]


@pytest.mark.parametrize(("effect", "place", "expected"), PLACES)
def test_a_step_after_a_dead_one_counts_what_may_have_been_done_twice(
    effect: EffectClass, place: str, expected: dict[str, float]
) -> None:
    world, at = World(effect=effect), place_of(place, effect)
    counted = Counted()

    async def story() -> None:
        with pytest.raises(Killed):
            await world.run(Process(at))
        world.now_ms += int(LEASE_S * 1000) + 1
        await world.run()

    asyncio.run(story())
    assert counted.gained == expected


async def test_a_step_that_was_taken_over_while_it_froze_was_certainly_done_twice() -> None:
    world, counted = World(), Counted()
    await taken_over_while_frozen(world)
    assert counted.gained == {"taken over": 1, "possible": 1, "lost": 1, "certain": 1, "replayed": 1}


async def test_an_undisturbed_step_counts_nothing_of_that() -> None:
    counted = Counted()
    await World().run()
    assert counted.gained == {}


@pytest.mark.parametrize(("is_certain", "certainty"), [(True, "certain"), (False, "possible")])
async def test_tokens_of_an_answer_that_was_bought_again_are_counted_by_model(
    is_certain: bool, certainty: str
) -> None:
    labels = {"model": "a-model", "certainty": certainty}
    before = value("maestro_tokens_bought_twice_total", **labels)
    generating: GenerateJob = job(FakeModel(("x",)))
    answer = await generating.work(ATTEMPT)
    bought = answer.model_copy(update={"total_tokens": 120, "model_name": "a-model:with-a-script"})
    generating.note_repeated(bought, is_certain=is_certain)
    assert value("maestro_tokens_bought_twice_total", **labels) == before + 120
