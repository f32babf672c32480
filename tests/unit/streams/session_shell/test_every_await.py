"""A crash, flush, failure or freeze at any await of any step does not change a conversation's outcome."""

import pytest

from tests.unit.streams.session_shell.process import Process, fail, flush, freeze, kill
from tests.unit.streams.session_shell.world import Fault, World

SAID = ("one", "two")


def flush_and_freeze(process: Process) -> None:
    flush(process)
    freeze(process)


def flush_and_kill(process: Process) -> None:
    flush(process)
    kill(process)


def flush_and_fail(process: Process) -> None:
    flush(process)
    fail(process)


async def conversation(
    delivery: int | None = None, plan: dict[int, Fault] | None = None, *, zombies_wake_late: bool = False
) -> tuple[World, list[int]]:
    """Both messages at once, so that one waits for the other; the fault falls into one delivery."""
    world = World()
    for text in SAID:
        world.say("chat", text)
    faults = {} if delivery is None else {delivery: plan or {}}
    turns = await world.settle(faults, zombies_wake_late=zombies_wake_late)
    return world, turns


async def points() -> tuple[World, list[tuple[int, int]]]:
    """The undisturbed conversation, and every (delivery, turn) of it."""
    world, turns = await conversation()
    world.check("chat")
    assert min(turns) > 4
    return world, [(delivery, turn) for delivery, count in enumerate(turns) for turn in range(count)]


@pytest.mark.parametrize(
    "fault", [kill, flush, fail, flush_and_kill, flush_and_fail], ids=lambda fault: fault.__name__
)
async def test_a_fault_at_any_await_leaves_the_undisturbed_outcome(fault: Fault) -> None:
    undisturbed, places = await points()
    expected = undisturbed.outcome("chat")
    for delivery, turn in places:
        world, _ = await conversation(delivery, {turn: fault})
        world.check("chat")
        assert world.outcome("chat") == expected, f"{fault.__name__} at turn {turn} of delivery {delivery}"


@pytest.mark.parametrize("zombies_wake_late", [False, True])
async def test_a_process_that_freezes_at_any_await_and_wakes_up_later_changes_nothing(
    zombies_wake_late: bool,
) -> None:
    undisturbed, places = await points()
    expected = undisturbed.outcome("chat")
    for delivery, turn in places:
        world, _ = await conversation(delivery, {turn: freeze}, zombies_wake_late=zombies_wake_late)
        world.check("chat")
        assert world.outcome("chat") == expected, f"frozen at turn {turn} of delivery {delivery}"


@pytest.mark.parametrize(("gap", "is_void_reached"), [(0, True), (1, True), (3, False)])
async def test_a_zombie_after_a_flush_publishes_an_old_term_that_readers_ignore(
    gap: int, is_void_reached: bool
) -> None:
    undisturbed, places = await points()
    expected = undisturbed.outcome("chat")
    void = 0
    for delivery, turn in places:
        plan = {turn: flush, turn + gap: freeze} if gap else {turn: flush_and_freeze}
        world, _ = await conversation(delivery, plan)
        world.check("chat")
        assert world.outcome("chat") == expected, f"flush at {turn}, frozen {gap} later, delivery {delivery}"
        void += world.record.void
    # Stored, then lost, then frozen before the logs are published: only next to each other.
    assert void > 0 or not is_void_reached
