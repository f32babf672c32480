"""Which step may run next: a limit on steps in flight and a serial lane per key. Pure."""

from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class Laned(Protocol):
    """Anything that belongs to a lane (None: to none). Compared by identity."""

    @property
    def lane(self) -> Hashable | None:
        """The key of its serial lane."""
        ...


StepT = TypeVar("StepT", bound=Laned)


class Lanes(Generic[StepT]):
    """Orders steps. A lane's head is ready, in flight or parked; the steps behind it wait for its end.

    A parked step has given its slot back but still holds its lane.
    """

    def __init__(self, max_in_flight: int) -> None:
        """Let at most `max_in_flight` steps hold a slot."""
        self._max_in_flight = max_in_flight
        self._ready: deque[StepT] = deque()
        self._tails: dict[Hashable, deque[StepT] | None] = {}
        """The lanes that have a head, and who waits behind it; most have nobody."""
        self._holding: set[StepT] = set()

    @property
    def in_flight(self) -> int:
        """How many steps hold a slot."""
        return len(self._holding)

    @property
    def is_saturated(self) -> bool:
        """Whether a step is ready for which there is no slot: the moment to slow the intake down."""
        return bool(self._ready) and len(self._holding) >= self._max_in_flight

    def add(self, step: StepT) -> None:
        """Queue a new step behind the others of its lane."""
        lane = step.lane
        if lane is None:
            self._ready.append(step)
        elif lane not in self._tails:
            self._tails[lane] = None
            self._ready.append(step)
        elif (tail := self._tails[lane]) is not None:
            tail.append(step)
        else:
            self._tails[lane] = deque((step,))

    def start(self) -> StepT | None:
        """Give a slot to the step that has been ready longest, and return it; None when nothing may start."""
        if not self._ready or len(self._holding) >= self._max_in_flight:
            return None
        step = self._ready.popleft()
        self._holding.add(step)
        return step

    def park(self, step: StepT) -> None:
        """Take the slot of a step in flight; its lane stays blocked."""
        self._holding.discard(step)

    def unpark(self, step: StepT) -> None:
        """Let a parked step queue for a slot; `start` returns it again."""
        self._ready.append(step)

    def finish(self, step: StepT) -> None:
        """End the head of a lane, in flight or parked: its slot is free, the next of its lane is ready."""
        if step in self._holding:
            self._holding.discard(step)
        elif step in self._ready:
            self._ready.remove(step)
        self._advance(step)

    def drop(self, is_dropped: Callable[[StepT], bool]) -> list[StepT]:
        """Remove and return matching steps that are ready or wait behind a head.

        Heads in flight or parked stay, and keep their lanes.
        """
        dropped: list[StepT] = []
        for tail in filter(None, self._tails.values()):
            kept = [step for step in tail if not is_dropped(step)]
            if len(kept) < len(tail):
                dropped.extend(step for step in tail if is_dropped(step))
                tail.clear()
                tail.extend(kept)
        heads = [step for step in self._ready if is_dropped(step)]
        self._ready = deque(step for step in self._ready if not is_dropped(step))
        for head in heads:
            self._advance(head)
        return heads + dropped

    def _advance(self, head: StepT) -> None:
        if head.lane is None:
            return
        tail = self._tails[head.lane]
        if tail:
            self._ready.append(tail.popleft())
        else:
            del self._tails[head.lane]
