"""What stands on the dead-letter topic: letters, and the marks that say what people did about them.

A mark is a message in the partition of its letter, after it: it is kept at least as long as the letter is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bus.deadletter import PREFIX, REASON, TRUNCATED
from bus.message import Message
from bus.redrive import REDRIVEN, Origin

_OURS = "maestro."
MARK = "maestro.mark"
"""Header of a mark: what was done. Letters never have it."""


class Deed(StrEnum):
    """What somebody does about a dead letter."""

    REDRIVEN = "redriven"
    DISCARDED = "discarded"


class LetterState(StrEnum):
    """Where a dead letter stands: nobody has seen to it, it was driven again, it was given up."""

    OPEN = "open"
    REDRIVEN = "redriven"
    DISCARDED = "discarded"


class Mark(BaseModel):
    """The value of a mark, as JSON. `offset` is the letter's, in the mark's own partition."""

    model_config = ConfigDict(frozen=True)

    offset: int = Field(ge=0)
    did: Deed
    by: str
    at: datetime
    note: str | None = None
    to: str | None = None
    """Place of the message that it became: topic/partition/offset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One dead letter without its value, and what was done about it, oldest first."""

    partition: int
    offset: int
    timestamp_ms: int
    reason: str | None
    message: str | None
    stage: str | None
    origin: Origin | None
    """Where the message was refused; None when the letter does not say so."""
    key: bytes | None
    ours: Mapping[str, str]
    """The headers that Maestro's programs gave it, by name."""
    marks: tuple[Mark, ...] = ()

    @property
    def place(self) -> str:
        """What commands call it: partition:offset."""
        return f"{self.partition}:{self.offset}"

    @property
    def earlier_redrives(self) -> int:
        """How often its message had been driven again before it became this letter."""
        return _number(self.ours.get(REDRIVEN)) or 0

    @property
    def cut_from_bytes(self) -> int | None:
        """The size of the original value where it was larger than any message may be, else None."""
        return _number(self.ours.get(TRUNCATED))

    @property
    def redrives(self) -> int:
        """How often this letter was driven again."""
        return sum(mark.did is Deed.REDRIVEN for mark in self.marks)

    @property
    def state(self) -> LetterState:
        """Where it stands; the last thing that was done counts."""
        if not self.marks:
            return LetterState.OPEN
        return LetterState(self.marks[-1].did.value)


@dataclass(slots=True)
class Box:
    """Collects what is read of the topic; each partition in order, partitions in any."""

    _letters: dict[tuple[int, int], Letter] = field(default_factory=dict[tuple[int, int], Letter])
    _marks: dict[tuple[int, int], list[Mark]] = field(default_factory=dict[tuple[int, int], list[Mark]])

    def add(self, message: Message) -> None:
        """Take the next message."""
        mark = mark_of(message)
        if mark is not None:
            self._marks.setdefault((message.partition, mark.offset), []).append(mark)
        elif not is_mark(message):
            self._letters[message.partition, message.offset] = letter_of(message)

    def letters(self) -> list[Letter]:
        """Return the letters with what was done about each, oldest first."""
        found = [
            letter if place not in self._marks else replace(letter, marks=tuple(self._marks[place]))
            for place, letter in self._letters.items()
        ]
        return sorted(found, key=lambda letter: (letter.timestamp_ms, letter.partition, letter.offset))


def is_mark(message: Message) -> bool:
    """Whether a message of the dead-letter topic is about a letter, and none itself."""
    return any(name == MARK for name, _ in message.headers)


def mark_of(message: Message) -> Mark | None:
    """Return the mark that a message is; None for letters, and for marks that this version cannot read."""
    if not is_mark(message):
        return None
    try:
        return Mark.model_validate_json(message.value or b"")
    except ValidationError:
        return None


def letter_of(message: Message) -> Letter:
    """Return a message of the dead-letter topic as a letter, whoever wrote it."""
    headers = texts_of(message.headers)
    return Letter(
        partition=message.partition,
        offset=message.offset,
        timestamp_ms=message.timestamp,
        reason=headers.get(REASON),
        message=headers.get(f"{PREFIX}exception.message"),
        stage=headers.get(f"{PREFIX}stage"),
        origin=_origin(headers),
        key=message.key,
        ours={name: text for name, text in headers.items() if name.startswith(_OURS)},
    )


def texts_of(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    """Return headers as text; of one that occurs twice the last."""
    return {name: content.decode(errors="replace") for name, content in headers if content is not None}


def between(letters: Iterable[Letter], ranges: Sequence[tuple[int, int, int]]) -> list[Letter]:
    """Return the letters in any of `ranges`: a partition, its first and its last offset, both included."""
    return [
        letter
        for letter in letters
        if any(
            letter.partition == partition and first <= letter.offset <= last
            for partition, first, last in ranges
        )
    ]


def _origin(headers: Mapping[str, str]) -> Origin | None:
    topic = headers.get(f"{PREFIX}topic")
    partition, offset = (_number(headers.get(f"{PREFIX}{name}")) for name in ("partition", "offset"))
    if not topic or partition is None or offset is None:
        return None
    return Origin(topic, partition, offset)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None
