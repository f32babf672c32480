"""Steps of a lane run one at a time in order; slots are never exceeded; nothing is forgotten."""

from collections.abc import Hashable
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.runtime.lanes import Lanes


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A step of a test; compared by identity."""

    number: int
    lane: Hashable | None


def test_the_second_of_a_lane_waits_for_the_first() -> None:
    lanes: Lanes[Step] = Lanes(4)
    first, second, other = Step(1, "a"), Step(2, "a"), Step(3, "b")
    for step in (first, second, other):
        lanes.add(step)
    assert lanes.start() is first
    assert lanes.start() is other
    assert lanes.start() is None
    lanes.finish(first)
    assert lanes.start() is second


def test_a_parked_step_frees_its_slot_but_not_its_lane() -> None:
    lanes: Lanes[Step] = Lanes(1)
    first, second, other = Step(1, "a"), Step(2, "a"), Step(3, "b")
    for step in (first, second, other):
        lanes.add(step)
    assert lanes.start() is first
    lanes.park(first)
    assert lanes.start() is other
    lanes.finish(other)
    assert lanes.start() is None
    lanes.unpark(first)
    assert lanes.start() is first


def test_dropping_the_tail_of_a_lane_keeps_the_lane() -> None:
    lanes: Lanes[Step] = Lanes(2)
    first, second, again = Step(1, "a"), Step(2, "a"), Step(3, "a")
    lanes.add(first)
    lanes.add(second)
    assert lanes.start() is first
    assert lanes.drop(lambda step: step is second) == [second]
    lanes.add(again)
    assert lanes.start() is None
    lanes.finish(first)
    assert lanes.start() is again


class LaneOrder(RuleBasedStateMachine):
    """Random work on lanes, compared with plain lists."""

    SLOTS = 3

    def __init__(self) -> None:
        super().__init__()
        self.lanes: Lanes[Step] = Lanes(self.SLOTS)
        self.count = 0
        self.waiting: list[Step] = []
        self.flying: list[Step] = []
        self.parked: list[Step] = []
        self.returning: list[Step] = []

    @rule(lane=st.sampled_from(["a", "b", "c", None]))
    def add(self, lane: str | None) -> None:
        step = Step(self.count, lane)
        self.count += 1
        self.lanes.add(step)
        self.waiting.append(step)

    @rule()
    def start(self) -> None:
        step = self.lanes.start()
        if step is None:
            heads = [waiting for waiting in self.waiting if self._is_head(waiting)]
            assert len(self.flying) == self.SLOTS or not (heads or self.returning)
            return
        if step in self.returning:
            self.returning.remove(step)
        else:
            assert self._is_head(step)
            self.waiting.remove(step)
        self.flying.append(step)

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        step = data.draw(st.sampled_from(self.flying))
        self.flying.remove(step)
        self.lanes.finish(step)

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def park(self, data: st.DataObject) -> None:
        step = data.draw(st.sampled_from(self.flying))
        self.flying.remove(step)
        self.parked.append(step)
        self.lanes.park(step)

    @precondition(lambda self: self.parked)
    @rule(data=st.data(), ends=st.booleans())
    def leave_parking(self, data: st.DataObject, ends: bool) -> None:
        step = data.draw(st.sampled_from(self.parked))
        self.parked.remove(step)
        if ends:
            self.lanes.finish(step)
        else:
            self.lanes.unpark(step)
            self.returning.append(step)

    @precondition(lambda self: self.returning)
    @rule(data=st.data())
    def cancel_while_returning(self, data: st.DataObject) -> None:
        step = data.draw(st.sampled_from(self.returning))
        self.returning.remove(step)
        self.lanes.finish(step)

    @rule(even=st.booleans())
    def drop(self, even: bool) -> None:
        wanted = {step for step in self.waiting if (step.number % 2 == 0) == even}
        assert set(self.lanes.drop(lambda step: step in wanted)) == wanted
        self.waiting = [step for step in self.waiting if step not in wanted]

    @invariant()
    def slots_and_lanes_are_respected(self) -> None:
        assert self.lanes.in_flight == len(self.flying) <= self.SLOTS
        taken = [step.lane for step in self.flying + self.parked + self.returning if step.lane is not None]
        assert len(taken) == len(set(taken))

    def _is_head(self, step: Step) -> bool:
        if step.lane is None:
            return True
        busy = {other.lane for other in self.flying + self.parked + self.returning}
        first = next(other for other in self.waiting if other.lane == step.lane)
        return step.lane not in busy and step is first


TestLaneOrder = LaneOrder.TestCase
