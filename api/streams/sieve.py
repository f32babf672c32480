"""Which events a reader is still to be sent: each once, in order, of one run or of all. Pure."""

from collections.abc import Iterable

from api.streams.events import DONE, Event, in_order
from api.streams.ids import BEFORE_ALL, EventId, Place
from api.streams.reader import Batch


class Sieve:
    """What one reader has, and what it asks for."""

    def __init__(self, last: EventId, run_id: str | None) -> None:
        self.last = last
        """The newest event that has passed, whether it was this reader's or not."""
        self.place: Place = BEFORE_ALL
        """Where the feed has been read to. What the hub hands over may begin before it."""
        self.is_done = False
        """Whether the run that was asked for has ended for this reader."""
        self._run_id = run_id
        self._is_in_step = False

    def fresh(self, events: Iterable[Event]) -> list[Event]:
        """Return those of some events that are to be sent."""
        return [event for event in in_order(events, self.last) if not self.is_done and self._takes(event)]

    def wire(self, batches: Iterable[Batch]) -> bytes:
        """Return what is to be sent of batches that the hub has handed over."""
        return b"".join(map(self._wire_of, batches))

    def _wire_of(self, batch: Batch) -> bytes:
        # The hub's events are in order. So who has taken one of them takes all that follow: a thousand
        # readers are sent the same bytes, and nobody looks at each event for each of them.
        if self._is_in_step and not self.is_done and self._run_id in (None, batch.run_id):
            self.last = batch.events[-1].id
            return batch.wire
        ahead = [event for event in batch.events if (event.id.place or BEFORE_ALL) > self.place]
        self._is_in_step |= any(event.id > self.last for event in ahead)
        return b"".join(event.wire() for event in self.fresh(ahead))

    def _takes(self, event: Event) -> bool:
        self.last = event.id
        if self._run_id is None:
            return True
        is_its = event.run_id == self._run_id
        self.is_done = is_its and event.name == DONE
        return is_its
