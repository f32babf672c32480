"""What session steps do is counted: decisions, rebuilds, compare-and-sets that lost."""

from prometheus_client import REGISTRY

from schemas.topics import GENERATIONS, TOOL_RESULTS, USER_MESSAGES
from tests.unit.streams.session_shell.process import freeze
from tests.unit.streams.session_shell.world import World, uuid

LOADED = 1
"""The turn after a session that Redis has was loaded."""

DECIDING = (USER_MESSAGES.name, GENERATIONS.name, TOOL_RESULTS.name)


def decisions() -> float:
    """How many decisions this process has made."""
    return sum(
        REGISTRY.get_sample_value("maestro_decisions_total", {"topic": topic}) or 0 for topic in DECIDING
    )


def count(name: str) -> float:
    """A counter without labels."""
    return REGISTRY.get_sample_value(name) or 0


async def test_every_decision_is_counted_once() -> None:
    world = World()
    before = decisions()
    world.say("chat", "one")
    await world.settle()
    assert decisions() - before == len(world.record.accepted(uuid("chat"))) > 0


async def test_a_context_that_is_folded_again_is_a_rebuild_and_a_new_session_is_none() -> None:
    world = World()
    before = count("maestro_context_rebuilds_total")
    world.say("chat", "one")
    await world.settle()
    assert count("maestro_context_rebuilds_total") == before
    world.redis.flush()
    world.say("chat", "two")
    await world.settle()
    assert count("maestro_context_rebuilds_total") == before + 1


async def test_every_run_is_counted_once_by_how_it_ended() -> None:
    labels = {"status": "completed", "reason": "answered"}
    ended = {"status": "completed"}
    before = REGISTRY.get_sample_value("maestro_runs_ended_total", labels) or 0
    timed = REGISTRY.get_sample_value("maestro_run_seconds_count", ended) or 0
    world = World()
    world.say("chat", "one")
    await world.settle()
    world.say("chat", "two")
    await world.settle()
    assert REGISTRY.get_sample_value("maestro_runs_ended_total", labels) == before + 2
    assert REGISTRY.get_sample_value("maestro_run_seconds_count", ended) == timed + 2


async def test_a_message_that_comes_again_is_counted_as_one() -> None:
    labels = {"found": "context"}
    before = REGISTRY.get_sample_value("maestro_redeliveries_total", labels) or 0
    world = World()
    world.say("chat", "one")
    [message] = world.inputs()
    await world.settle()
    await world.deliver(world.process(), message, {})
    await world.settle()
    assert REGISTRY.get_sample_value("maestro_redeliveries_total", labels) == before + 1


async def test_a_writer_that_was_overtaken_is_counted() -> None:
    before = count("maestro_context_conflicts_total")
    world = World()
    world.say("chat", "one")
    await world.settle()
    assert count("maestro_context_conflicts_total") == before
    world.say("chat", "two")
    [waiting] = world.inputs()
    # Frozen between its load and its store; another process brings the message through meanwhile.
    await world.deliver(world.process(), waiting, {LOADED: freeze})
    await world.wake_zombies()
    world.work()
    await world.settle()
    world.check("chat")
    assert count("maestro_context_conflicts_total") == before + 1
