"""Acknowledgements go out in order, for the current generation only, within the window."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.runtime.acker import Acker

PLACE = ("topic", 0)


def test_a_finished_message_waits_for_an_older_one() -> None:
    acker: Acker[int] = Acker(10)
    acker.begin(1)
    acker.take(PLACE, 5, 5)
    acker.take(PLACE, 6, 6)
    assert acker.finish(PLACE, 6) == []
    assert acker.finish(PLACE, 5) == [5, 6]


def test_partitions_do_not_wait_for_each_other() -> None:
    acker: Acker[int] = Acker(10)
    acker.begin(1)
    acker.take(PLACE, 5, 5)
    acker.take(("topic", 1), 7, 7)
    assert acker.finish(("topic", 1), 7) == [7]


def test_the_end_of_a_generation_tells_what_was_finished_in_vain() -> None:
    acker: Acker[int] = Acker(10)
    acker.begin(1)
    acker.take(PLACE, 5, 5)
    acker.take(PLACE, 6, 6)
    acker.finish(PLACE, 6)
    assert acker.end() == [6]
    assert acker.generation is None
    acker.begin(2)
    assert acker.finish(PLACE, 5) == []


def test_a_held_message_is_taken_when_the_window_moves() -> None:
    acker: Acker[int] = Acker(1)
    acker.begin(1)
    acker.take(PLACE, 0, 0)
    assert not acker.has_room(PLACE)
    acker.hold(PLACE, 1)
    assert acker.next_held(PLACE) is None
    acker.finish(PLACE, 0)
    assert not acker.has_room(PLACE), "a new message must not overtake a held one"
    assert acker.next_held(PLACE) == 1
    assert acker.has_room(PLACE)


@given(st.permutations(range(12)))
def test_whatever_the_order_of_finishing_offsets_are_released_in_order(order: list[int]) -> None:
    acker: Acker[int] = Acker(12)
    acker.begin(1)
    for offset in range(12):
        acker.take(PLACE, offset, offset)
    released = [offset for finished in order for offset in acker.finish(PLACE, finished)]
    assert released == list(range(12))


class Generations(RuleBasedStateMachine):
    """A broker that redelivers from the committed offset, and steps that finish in any order."""

    WINDOW = 4

    def __init__(self) -> None:
        super().__init__()
        self.acker: Acker[int] = Acker(self.WINDOW)
        self.generation = 0
        self.committed = 0
        self.next_delivery = 0
        self.taken: list[int] = []
        self.held: deque[int] = deque()
        self.done: set[int] = set()

    @rule(is_told=st.booleans())
    def rebalance(self, is_told: bool) -> None:
        if is_told:
            self.acker.end()
        self.generation += 1
        self.acker.begin(self.generation)
        self.next_delivery = self.committed
        self.taken.clear()
        self.held.clear()

    @precondition(lambda self: self.generation > 0)
    @rule()
    def deliver(self) -> None:
        offset = self.next_delivery
        self.next_delivery += 1
        if self.acker.has_room(PLACE):
            self.acker.take(PLACE, offset, offset)
            self.taken.append(offset)
        else:
            self.acker.hold(PLACE, offset)
            self.held.append(offset)

    @precondition(lambda self: self.next_delivery > 0)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        """Any offset ever delivered may finish, also one of an older generation that was not taken again."""
        offset = data.draw(st.integers(0, self.next_delivery + 3))
        was_taken = offset in self.taken
        if was_taken:
            self.done.add(offset)
        released = self.acker.finish(PLACE, offset)
        assert was_taken or not released
        for payload in released:
            assert payload == self.committed, "in order, without a gap"
            assert payload in self.done, "never beyond something unfinished"
            self.committed += 1
            self.taken.remove(payload)
        while (held := self.acker.next_held(PLACE)) is not None:
            assert held == self.held.popleft()
            self.acker.take(PLACE, held, held)
            self.taken.append(held)

    @invariant()
    def the_window_is_kept(self) -> None:
        assert len(self.taken) <= self.WINDOW
        assert self.acker.is_holding(PLACE) == bool(self.held)
        assert all(self.acker.is_taken(PLACE, offset) for offset in self.taken)


TestGenerations = Generations.TestCase
