"""An embedder without a model: it counts words and pieces of words, offline and always the same.

Texts with the same words, in any order or inflection, are near each other. It knows nothing of meaning:
"car" and "automobile" are strangers to it. For meaning set MAESTRO_EMBEDDING_MODEL to a provider's model.
"""

import asyncio
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from math import log
from typing import Final

from llm.embedding import DIMENSIONS, Vector, normalised

NAME: Final = "offline"
_MODEL: Final = "offline/hashed-ngrams-1"
_WORD: Final = re.compile(r"\w+")
_PIECE_CHARS: Final = 3
_PIECE_WEIGHT: Final = 0.35
"""Pieces make inflections of a word alike; the whole word weighs more than each of them."""
_PAIR_WEIGHT: Final = 0.5
_TURN: Final = 16
"""Texts embedded in one turn of the loop: each takes up to a millisecond."""


class HashedEmbedder:
    """Counts words, pairs of words and pieces of words."""

    model = _MODEL
    most_texts = 256

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return the vectors of the texts; one without any word is a fixed direction of its own."""
        vectors: list[Vector] = []
        for number, text in enumerate(texts, 1):
            vectors.append(vector_of(text))
            if number % _TURN == 0:
                await asyncio.sleep(0)
        return vectors


def vector_of(text: str) -> Vector:
    """Return the vector of a text."""
    words = _WORD.findall(text.lower())
    values = [0.0] * DIMENSIONS
    for word, count in Counter(words).items():
        # The tenth mention says less than the first.
        times = 1 + log(count)
        for place, weight in _of_word(word):
            values[place] += weight * times
    for first, second in pairwise(words):
        place, weight = _place(f"{first} {second}", _PAIR_WEIGHT)
        values[place] += weight
    if not any(values):
        values[0] = 1.0
    return normalised(values)


@lru_cache(maxsize=10_000)
def _of_word(word: str) -> tuple[tuple[int, float], ...]:
    return tuple(_features(word))


def _features(word: str) -> Iterator[tuple[int, float]]:
    yield _place(word, 1.0)
    edged = f"<{word}>"
    for start in range(len(edged) - _PIECE_CHARS + 1):
        yield _place(f"#{edged[start : start + _PIECE_CHARS]}", _PIECE_WEIGHT)


def _place(feature: str, weight: float) -> tuple[int, float]:
    # Two features of one place cancel as often as they add up: the sign comes from the hash too.
    number = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
    return number % DIMENSIONS, weight if number & 0x80000000 else -weight
