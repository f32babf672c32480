"""The handshake: a process stands still at the pass that was asked for, says so, goes on when told."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.harness.gate import Gate, open_gate
from tests.chaos.harness.parking import Parking

POINT = "generate.claimed"
WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Job:
    """What a step is about, as the code that passes a point has it."""

    session_id: str = "a session"
    step_id: str = "a step"


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    """A gate, and one process behind it."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_gate(Path(folder) / "gate") as opened:
            yield opened


@pytest.fixture
async def process(gate: Gate) -> Parking:
    """The other side, connected and known."""
    async with asyncio.timeout(WITHIN_S):
        parking = await asyncio.to_thread(Parking, gate.path, "generate-1")
        await gate.connected("generate-1")
    return parking


async def passing(process: Parking, times: int, passed: list[int]) -> None:
    job = Job()
    for number in range(1, times + 1):
        await asyncio.sleep(0.01)
        await process.passed(POINT)
        passed.append(number)
    del job


async def test_a_process_stands_still_at_the_pass_that_was_asked_for(gate: Gate, process: Parking) -> None:
    passed: list[int] = []
    parked_or_not = asyncio.create_task(gate.park(["generate-1"], POINT, nth=3, within_s=WITHIN_S))
    await asyncio.sleep(0.1)
    running = asyncio.create_task(passing(process, 5, passed))
    parked = await parked_or_not
    assert parked is not None
    assert (parked.name, parked.session, parked.step) == ("generate-1", "a session", "a step")
    assert passed == [1, 2]
    gate.release(parked)
    async with asyncio.timeout(WITHIN_S):
        await running
    assert passed == [1, 2, 3, 4, 5]


async def test_a_wish_that_nobody_fulfils_in_time_holds_nobody_later(gate: Gate, process: Parking) -> None:
    assert await gate.park(["generate-1"], POINT, nth=1, within_s=0.1) is None
    passed: list[int] = []
    async with asyncio.timeout(WITHIN_S):
        await passing(process, 2, passed)
    assert passed == [1, 2]


async def test_a_caller_can_be_held_from_outside(gate: Gate, process: Parking) -> None:
    parked_or_not = asyncio.create_task(gate.park(["generate-1"], POINT, nth=1, within_s=WITHIN_S))
    await asyncio.sleep(0)
    held = asyncio.create_task(gate.hold("generate-1", POINT, session=None, step="g"))
    parked = await parked_or_not
    assert parked is not None
    assert parked.step == "g"
    assert not held.done()
    gate.release(parked)
    async with asyncio.timeout(WITHIN_S):
        await held
    del process
