"""The port of an embedder: texts become vectors of one length, near each other where the texts are alike."""

from collections.abc import Sequence
from math import sqrt
from typing import Final, Protocol

Vector = Sequence[float]

DIMENSIONS: Final = 1536
"""Length of every vector: the store has one column for all models."""


class Embedder(Protocol):
    """Something that embeds."""

    @property
    def model(self) -> str:
        """Name that is kept with the vectors: those of different models must not be compared."""
        ...

    @property
    def most_texts(self) -> int:
        """How many texts one call should have at most: what came of it is lost when it fails."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return a vector of length 1 in DIMENSIONS dimensions for each text, in order.

        Raises:
            ModelError: there are none; the code says why.

        """
        ...


def normalised(values: Sequence[float]) -> Vector:
    """Return `values` scaled to length 1 and filled up with zeros, which change no angle between two.

    Raises:
        ValueError: there are more than DIMENSIONS, or all are zero.

    """
    length = sqrt(sum(value * value for value in values))
    if not 0 < length < float("inf") or len(values) > DIMENSIONS:
        message = f"{len(values)} values of length {length:g} are no vector of {DIMENSIONS} dimensions"
        raise ValueError(message)
    return [value / length for value in values] + [0.0] * (DIMENSIONS - len(values))
