"""Ids of streamed events: one growing order for each session, and enough to go on from anywhere. Pure.

An event stands behind the log entry `sequence`: the entry's own events come first, by their `part`, then the
words that came before the next entry, in the order of the live feed. `place` says where the live feed has it;
what was rebuilt from the record has none. So both sources give the same order, and what is there twice is
known by its id.
"""

import re
from dataclasses import dataclass, field
from typing import Final

Place = tuple[int, int]
"""Where an entry stands in a live feed: milliseconds and a number."""

BEFORE_ALL: Final[Place] = (0, 0)

TOKEN_PART: Final = 9
"""Part of an event that is words: behind all that its log entry shows."""

_TEXT: Final = re.compile(r"(\d{1,15})\.(\d)(?:@(\d{1,15})-(\d{1,15}))?")


@dataclass(frozen=True, slots=True, order=True)
class EventId:
    """Where an event stands in its session."""

    sequence: int
    part: int
    words_at: Place = BEFORE_ALL
    """Of words: where they stand in the feed, which is their order."""
    place: Place | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """Return the id as clients see it."""
        text = f"{self.sequence}.{self.part}"
        return text if self.place is None else f"{text}@{self.place[0]}-{self.place[1]}"


BEGINNING: Final = EventId(0, 0)
"""Before every event."""


def parse_event_id(text: str) -> EventId | None:
    """Return the id that `text` is; None when it is none of ours."""
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        return None
    sequence, part, ms, number = match.groups()
    place = None if ms is None else (int(ms), int(number))
    if int(part) == TOKEN_PART:
        return None if place is None else EventId(int(sequence), TOKEN_PART, place, place)
    return EventId(int(sequence), int(part), place=place)


def place_of(entry_id: str) -> Place:
    """Return the place that the id of a feed's entry names; a number behind a colon does not count."""
    ms, _, number = entry_id.partition(":")[0].partition("-")
    return int(ms), int(number or 0)


def entry_at(place: Place) -> str:
    """Return the id of the feed's entry at a place."""
    return f"{place[0]}-{place[1]}"
