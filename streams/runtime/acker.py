"""Which messages may be acknowledged: in order, per topic partition, of the current generation only. Pure."""

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

Place = tuple[str, int]
"""Topic and partition number."""

PayloadT = TypeVar("PayloadT")


@dataclass(slots=True)
class _Entry(Generic[PayloadT]):
    offset: int
    payload: PayloadT
    is_finished: bool = False


class _Queue(Generic[PayloadT]):
    """One partition: what was taken and is not released, oldest first, and what waits for room."""

    __slots__ = ("by_offset", "held", "taken")

    def __init__(self) -> None:
        self.taken: deque[_Entry[PayloadT]] = deque()
        self.by_offset: dict[int, _Entry[PayloadT]] = {}
        self.held: deque[PayloadT] = deque()


class Acker(Generic[PayloadT]):
    """Releases payloads for acknowledgement only when everything before them in their partition is finished.

    A generation is one assignment of partitions to this process. `begin` and `end` forget everything of the
    one before: what finishes afterwards without having been taken again is not released.
    """

    def __init__(self, window: int) -> None:
        """Take at most `window` messages per partition, counted from the oldest unfinished one."""
        self._window = window
        self._generation: int | None = None
        self._queues: dict[Place, _Queue[PayloadT]] = {}

    @property
    def generation(self) -> int | None:
        """The current generation, or None while no partition is owned."""
        return self._generation

    def begin(self, generation: int) -> None:
        """Start a generation with empty queues."""
        self._generation = generation
        self._queues.clear()

    def end(self) -> list[PayloadT]:
        """End the generation; return what was finished but had to wait for something older."""
        waiting = [
            entry.payload for queue in self._queues.values() for entry in queue.taken if entry.is_finished
        ]
        self._generation = None
        self._queues.clear()
        return waiting

    def oldest(self) -> dict[Place, PayloadT]:
        """Return the oldest unfinished message of each place that has one."""
        return {place: queue.taken[0].payload for place, queue in self._queues.items() if queue.taken}

    def has_room(self, place: Place) -> bool:
        """Return whether the next message may be taken: the window is open and none is held before it."""
        queue = self._queues.get(place)
        return queue is None or (len(queue.taken) < self._window and not queue.held)

    def hold(self, place: Place, payload: PayloadT) -> None:
        """Keep a message that found no room, behind those held before it."""
        self._queue(place).held.append(payload)

    def next_held(self, place: Place) -> PayloadT | None:
        """Remove and return the oldest held message when there is room for it now."""
        queue = self._queues.get(place)
        if queue is None or not queue.held or len(queue.taken) >= self._window:
            return None
        return queue.held.popleft()

    def is_holding(self, place: Place) -> bool:
        """Return whether messages of `place` wait for room."""
        queue = self._queues.get(place)
        return queue is not None and bool(queue.held)

    def take(self, place: Place, offset: int, payload: PayloadT) -> None:
        """Note a message as unfinished. Messages of a place are taken in the order of their offsets."""
        queue = self._queue(place)
        entry = queue.by_offset[offset] = _Entry(offset, payload)
        queue.taken.append(entry)

    def is_taken(self, place: Place, offset: int) -> bool:
        """Return whether this generation took the message and has not released it."""
        queue = self._queues.get(place)
        return queue is not None and offset in queue.by_offset

    def finish(self, place: Place, offset: int) -> list[PayloadT]:
        """Mark a message finished; return what may be acknowledged now, in order.

        Nothing for a message that this generation did not take: its acknowledgement belongs to an older one.
        """
        queue = self._queues.get(place)
        entry = None if queue is None else queue.by_offset.get(offset)
        if queue is None or entry is None:
            return []
        entry.is_finished = True
        released: list[PayloadT] = []
        while queue.taken and queue.taken[0].is_finished:
            oldest = queue.taken.popleft()
            del queue.by_offset[oldest.offset]
            released.append(oldest.payload)
        return released

    def _queue(self, place: Place) -> _Queue[PayloadT]:
        queue = self._queues.get(place)
        if queue is None:
            queue = self._queues[place] = _Queue()
        return queue
