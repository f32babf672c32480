"""The offline embedder: the same everywhere, near where words are shared, honest about the rest."""

from math import isclose, sqrt

import pytest

from llm.embedding import DIMENSIONS, Vector, normalised
from llm.hashed import HashedEmbedder, vector_of


def cosine(first: Vector, second: Vector) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("text", ["hello", "", "…", "日本語の文章です", "a" * 5000, "\ud800"])
def test_every_text_has_a_vector_of_length_one(text: str) -> None:
    vector = vector_of(text)
    assert len(vector) == DIMENSIONS
    assert isclose(sqrt(cosine(vector, vector)), 1.0)


def test_a_vector_depends_on_the_text_alone() -> None:
    # Fixed values: rows that are kept must still be comparable after a new release.
    places = {place: round(value, 4) for place, value in enumerate(vector_of("bread")) if value}
    assert places == {
        525: -0.2756,
        990: 0.2756,
        1057: 0.2756,
        1355: 0.7875,
        1440: 0.2756,
        1491: -0.2756,
    }


def test_texts_with_the_same_words_are_nearer_than_others() -> None:
    asked = vector_of("how do I bake bread at home")
    assert cosine(asked, vector_of("baking bread at home is easy")) > 0.3
    assert cosine(asked, vector_of("the stock market fell on Tuesday")) < 0.15
    assert cosine(vector_of("orders"), vector_of("order")) > cosine(vector_of("orders"), vector_of("window"))


async def test_many_texts_come_back_in_order() -> None:
    texts = [f"text number {number}" for number in range(40)]
    assert await HashedEmbedder().embed(texts) == [vector_of(text) for text in texts]


def test_shorter_vectors_are_filled_up() -> None:
    assert normalised([3.0, 4.0])[:3] == [0.6, 0.8, 0.0]
    assert len(normalised([3.0, 4.0])) == DIMENSIONS


@pytest.mark.parametrize("values", [[], [0.0, 0.0], [1.0] * (DIMENSIONS + 1), [float("nan")], [float("inf")]])
def test_what_is_no_vector_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="dimensions"):
        normalised(values)
