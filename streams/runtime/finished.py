"""Remembers finished messages that a rebalance kept from being acknowledged. Pure."""

from collections.abc import Container

from streams.runtime.acker import Place


class Finished:
    """Offsets that finished here, per place, until they are delivered again or the place goes elsewhere.

    The broker timestamp is kept with the offset: in a topic that was deleted and made again the same offset
    is another message.
    """

    def __init__(self, limit: int) -> None:
        """Remember at most `limit` messages per place; forgetting the oldest only costs a repeat."""
        self._limit = limit
        self._places: dict[Place, dict[int, int]] = {}

    def remember(self, place: Place, offset: int, timestamp_ms: int) -> None:
        """Note that the message is done."""
        offsets = self._places.setdefault(place, {})
        offsets[offset] = timestamp_ms
        if len(offsets) > self._limit:
            del offsets[min(offsets)]

    def forget(self, place: Place, offset: int, timestamp_ms: int) -> bool:
        """Return whether the message was remembered; it is forgotten then."""
        offsets = self._places.get(place)
        return offsets is not None and offsets.pop(offset, None) == timestamp_ms

    def keep_only(self, places: Container[Place]) -> None:
        """Forget every place that is not among `places`: another process may have worked on it since."""
        self._places = {place: offsets for place, offsets in self._places.items() if place in places}
