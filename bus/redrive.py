"""A dead letter driven again: the headers of the message that it becomes, and what they say. Pure."""

from collections.abc import Sequence
from typing import NamedTuple, Self

from bus.deadletter import without_reasons

REDRIVEN = "maestro.redriven"
"""Header: how often the message was driven again, this time included."""
FIRST_PLACE = "maestro.first_place"
"""Header: where the message was published first. A message without an id is known by that place."""
LETTER = "maestro.dead_letter"
"""Header: the dead letter that the message was, partition:offset."""

_OF_A_REDRIVE = frozenset({REDRIVEN, LETTER})


class Origin(NamedTuple):
    """Where a message stood: the topic's full name, partition and offset."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def parsed(cls, text: str) -> Self | None:
        """Return the place that `text` (topic/partition/offset) names, or None when it names none."""
        topic, *numbers = text.split("/")
        if not topic or len(numbers) != len(("partition", "offset")):
            return None
        if not all(number.isascii() and number.isdecimal() for number in numbers):
            return None
        return cls(topic, int(numbers[0]), int(numbers[1]))


def redriven_headers(
    headers: Sequence[tuple[str, bytes | None]], *, origin: Origin, letter: str, times: int
) -> list[tuple[str, bytes | None]]:
    """Return the headers that a letter's message gets when it is driven again.

    The original ones stay, the reasons go. `letter` is the letter's place, `times` counts this redrive too.
    The first place of all is kept when a message fails again and becomes another letter.
    """
    theirs = [(name, content) for name, content in without_reasons(headers) if name not in _OF_A_REDRIVE]
    if not any(name == FIRST_PLACE for name, _ in theirs):
        theirs.append((FIRST_PLACE, str(origin).encode()))
    return [*theirs, (REDRIVEN, str(times).encode()), (LETTER, letter.encode())]


def is_redriven(headers: Sequence[tuple[str, bytes | None]]) -> bool:
    """Return whether a message was driven again out of the dead letters."""
    return any(name == REDRIVEN for name, _ in headers)


def first_place(headers: Sequence[tuple[str, bytes | None]]) -> Origin | None:
    """Return where a message that was driven again was published first; None for all others."""
    for name, content in headers:
        if name == FIRST_PLACE and content is not None:
            return Origin.parsed(content.decode(errors="replace"))
    return None
