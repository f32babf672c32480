"""Offsets are released in order, for the current generation only, within the window."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.runtime.acker import Acker
from streams.runtime.record import Record

PLACE = ("topic", 0)
OTHER = ("topic", 1)


def record(offset: int) -> Record:
    return Record("topic", 0, offset, 1000 + offset, None, None)


def begun(window: int = 10) -> Acker:
    acker = Acker(window)
    acker.begin(1)
    return acker


def test_a_finished_message_waits_for_an_older_one() -> None:
    acker = begun()
    assert acker.take(PLACE, record(5))
    assert acker.take(PLACE, record(6))
    assert acker.finish(PLACE, 6) is None
    assert acker.finish(PLACE, 5) == 7


def test_partitions_do_not_wait_for_each_other() -> None:
    acker = begun()
    acker.take(PLACE, record(5))
    acker.take(OTHER, record(7))
    assert acker.finish(OTHER, 7) == 8


def test_offsets_that_do_not_exist_are_not_waited_for() -> None:
    acker = begun()
    acker.take(PLACE, record(5))
    acker.take(PLACE, record(9))
    assert acker.finish(PLACE, 5) == 6
    assert acker.finish(PLACE, 9) == 10


def test_a_message_is_taken_once_in_a_generation() -> None:
    acker = begun()
    acker.take(PLACE, record(5))
    acker.take(PLACE, record(6))
    acker.finish(PLACE, 6)
    assert not acker.take(PLACE, record(5))
    assert not acker.take(PLACE, record(6)), "finished, but not released"
    assert acker.finish(PLACE, 5) == 7


def test_the_end_of_a_generation_tells_what_was_finished_in_vain() -> None:
    acker = begun()
    acker.take(PLACE, record(5))
    acker.take(PLACE, record(6))
    acker.finish(PLACE, 6)
    assert acker.end() == [record(6)]
    assert acker.generation is None
    acker.begin(2)
    assert acker.finish(PLACE, 5) is None


def test_the_oldest_unfinished_message_of_each_place_is_known() -> None:
    acker = begun()
    acker.take(PLACE, record(5))
    acker.take(PLACE, record(6))
    acker.take(OTHER, record(7))
    acker.finish(PLACE, 5)
    acker.finish(OTHER, 7)
    assert acker.oldest() == {PLACE: record(6)}


def test_a_held_message_is_taken_when_the_window_moves() -> None:
    acker = begun(1)
    acker.take(PLACE, record(0))
    assert not acker.has_room(PLACE)
    acker.hold(PLACE, record(1))
    assert acker.next_held(PLACE) is None
    acker.finish(PLACE, 0)
    assert not acker.has_room(PLACE), "a new message must not overtake a held one"
    assert acker.next_held(PLACE) == record(1)
    assert acker.has_room(PLACE)


@given(st.permutations(range(12)))
def test_whatever_the_order_of_finishing_the_offset_moves_over_what_is_finished(order: list[int]) -> None:
    acker = begun(12)
    for offset in range(12):
        acker.take(PLACE, record(offset))
    done: set[int] = set()
    for offset in order:
        done.add(offset)
        gap = min(set(range(13)) - done)
        released = acker.finish(PLACE, offset)
        assert released == (gap if gap > offset else None)


class Generations(RuleBasedStateMachine):
    """A broker that redelivers from the committed offset, and steps that finish in any order."""

    WINDOW = 4

    def __init__(self) -> None:
        super().__init__()
        self.acker = Acker(self.WINDOW)
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
        self.done.clear()

    @precondition(lambda self: self.generation > 0)
    @rule()
    def deliver(self) -> None:
        offset = self.next_delivery
        self.next_delivery += 1
        if self.acker.has_room(PLACE):
            assert self.acker.take(PLACE, record(offset))
            self.taken.append(offset)
        else:
            self.acker.hold(PLACE, record(offset))
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
        assert was_taken or released is None
        if released is not None:
            assert released > self.committed
            assert set(range(self.committed, released)) <= self.done, "never beyond something unfinished"
            self.committed = released
            self.taken = [taken for taken in self.taken if taken >= released]
        while (held := self.acker.next_held(PLACE)) is not None:
            assert held.offset == self.held.popleft()
            assert self.acker.take(PLACE, held)
            self.taken.append(held.offset)

    @invariant()
    def what_is_finished_is_released(self) -> None:
        assert self.committed not in self.done

    @invariant()
    def the_window_is_kept(self) -> None:
        assert len(self.taken) <= self.WINDOW
        assert self.acker.is_holding(PLACE) == bool(self.held)
        for offset in self.taken:
            assert self.acker.is_unfinished(PLACE, offset) == (offset not in self.done)


TestGenerations = Generations.TestCase
