"""Which offsets may be committed: in order, per topic partition, of the current generation only. Pure."""

from collections import deque

from streams.runtime.record import Record

Place = tuple[str, int]
"""Topic and partition number."""


class _Queue:
    """One partition: what was taken and is not released, oldest first, and what waits for room."""

    __slots__ = ("held", "taken", "unfinished")

    def __init__(self) -> None:
        self.taken: deque[Record] = deque()
        self.unfinished: set[int] = set()
        self.held: deque[Record] = deque()


class Acker:
    """Tells up to where a partition is finished: everything before that offset, without a gap.

    A generation is one assignment of partitions to this process. `begin` and `end` forget everything of the
    one before: what finishes afterwards without having been taken again is not released.
    """

    def __init__(self, window: int) -> None:
        """Take at most `window` messages per partition, counted from the oldest unfinished one."""
        self._window = window
        self._generation: int | None = None
        self._queues: dict[Place, _Queue] = {}

    @property
    def generation(self) -> int | None:
        """The current generation, or None while no partition is owned."""
        return self._generation

    def begin(self, generation: int) -> None:
        """Start a generation with empty queues."""
        self._generation = generation
        self._queues.clear()

    def end(self) -> list[Record]:
        """End the generation; return what was finished but had to wait for something older."""
        waiting = [
            record
            for queue in self._queues.values()
            for record in queue.taken
            if record.offset not in queue.unfinished
        ]
        self._generation = None
        self._queues.clear()
        return waiting

    def oldest(self) -> dict[Place, Record]:
        """Return the oldest unfinished message of each place that has one."""
        return {place: queue.taken[0] for place, queue in self._queues.items() if queue.taken}

    def has_room(self, place: Place) -> bool:
        """Return whether the next message may be taken: the window is open and none is held before it."""
        queue = self._queues.get(place)
        return queue is None or (len(queue.taken) < self._window and not queue.held)

    def hold(self, place: Place, record: Record) -> None:
        """Keep a message that found no room, behind those held before it."""
        self._queue(place).held.append(record)

    def next_held(self, place: Place) -> Record | None:
        """Remove and return the oldest held message when there is room for it now."""
        queue = self._queues.get(place)
        if queue is None or not queue.held or len(queue.taken) >= self._window:
            return None
        return queue.held.popleft()

    def is_holding(self, place: Place) -> bool:
        """Return whether messages of `place` wait for room."""
        queue = self._queues.get(place)
        return queue is not None and bool(queue.held)

    def take(self, place: Place, record: Record) -> bool:
        """Note a message as unfinished. Messages of a place are taken in the order of their offsets.

        False when it is there already: the client went back within one generation. Taken twice, the first
        would never be finished.
        """
        queue = self._queue(place)
        taken = queue.taken
        if taken and record.offset <= taken[-1].offset and self._is_known(queue, record.offset):
            return False
        queue.unfinished.add(record.offset)
        taken.append(record)
        return True

    def is_unfinished(self, place: Place, offset: int) -> bool:
        """Return whether this generation took the message and it has not been finished."""
        queue = self._queues.get(place)
        return queue is not None and offset in queue.unfinished

    def finish(self, place: Place, offset: int) -> int | None:
        """Mark a message finished; return the offset to commit when that has moved: of the next message.

        None as well for a message that this generation did not take: it belongs to an older one.
        """
        queue = self._queues.get(place)
        if queue is None or offset not in queue.unfinished:
            return None
        unfinished, taken = queue.unfinished, queue.taken
        unfinished.remove(offset)
        if taken[0].offset in unfinished:
            return None
        released = taken.popleft()
        while taken and taken[0].offset not in unfinished:
            released = taken.popleft()
        return released.offset + 1

    def _is_known(self, queue: _Queue, offset: int) -> bool:
        return offset in queue.unfinished or any(record.offset == offset for record in queue.taken)

    def _queue(self, place: Place) -> _Queue:
        queue = self._queues.get(place)
        if queue is None:
            queue = self._queues[place] = _Queue()
        return queue
