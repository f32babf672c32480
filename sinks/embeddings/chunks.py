"""A text in overlapping pieces of bounded size, cut where a reader would pause. Pure."""

import re
from dataclasses import dataclass
from typing import Final

_PAUSES: Final = (re.compile(r"\n\s*\n"), re.compile(r"[.!?…]\s|\n"), re.compile(r"\s"))
"""Where to cut, best first: paragraphs, sentences, words."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a text: `text[start : start + len(words)]`, in characters."""

    start: int
    words: str


def chunks_of(text: str, *, size: int, overlap: int) -> list[Chunk]:
    """Return pieces of at most `size` characters that together hold the whole text, none for a blank one.

    Each piece begins up to `overlap` characters before the end of the one before, so that what stands at a
    cut is whole in one of them. `overlap` is less than half of `size`.

    Raises:
        ValueError: the overlap is too large.

    """
    if not 0 <= overlap < size / 2:
        message = f"chunks of {size} characters cannot overlap by {overlap}: at most half"
        raise ValueError(message)
    found: list[Chunk] = []
    start = 0
    while start < len(text):
        end = _end_of(text, start, size)
        if not text[start:end].isspace():
            found.append(Chunk(start, text[start:end]))
        if end >= len(text):
            break
        start = _start_after(text, start, end, overlap)
    return found


def _end_of(text: str, start: int, size: int) -> int:
    most = start + size
    if most >= len(text):
        return len(text)
    # In the second half only: better a cut in the middle of a sentence than very small pieces.
    for pause in _PAUSES:
        ends = [match.end() for match in pause.finditer(text, start + size // 2, most)]
        if ends:
            return ends[-1]
    return most


def _start_after(text: str, start: int, end: int, overlap: int) -> int:
    wanted = max(start + 1, end - overlap)
    space = _PAUSES[-1].search(text, wanted, end)
    return end if overlap == 0 else space.end() if space is not None else wanted
