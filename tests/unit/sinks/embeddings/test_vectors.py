"""Vectors for texts: each paid for once, refused ones apart, nothing skipped when the model is away."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from llm.completion import ModelError
from llm.embedding import Vector
from schemas.errors import ErrorCode, FatalError, TransientError
from sinks.embeddings.vectors import Vectors


@dataclass
class FakeEmbedder:
    """Refuses calls that hold the text `bad`; fails with the error as long as there is one."""

    error: ModelError | None = None
    calls: list[list[str]] = field(default_factory=list[list[str]])
    model: str = "fake"
    most_texts: int = 10

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        self.calls.append(list(texts))
        if self.error is not None:
            raise self.error
        if "bad" in texts:
            message = "not this one"
            raise ModelError(message, code=ErrorCode.MODEL_REFUSED_REQUEST)
        return [[1.0, 0.0] for _ in texts]


async def test_a_text_is_embedded_once_until_it_is_written() -> None:
    embedder = FakeEmbedder()
    vectors = Vectors(embedder)
    await vectors.fetch(["a", "b", "a"])
    await vectors.fetch(["b", "c"])
    assert embedder.calls == [["a", "b"], ["c"]]
    vectors.forget()
    await vectors.fetch(["a"])
    assert embedder.calls[2:] == [["a"]]


async def test_a_refused_text_is_found_by_halving_and_the_others_have_vectors() -> None:
    vectors = Vectors(FakeEmbedder())
    await vectors.fetch(["a", "b", "bad", "c", "d"])
    assert set(vectors.packed) == {"a", "b", "c", "d"}
    assert vectors.refused == {"bad": "not this one"}


async def test_what_some_calls_brought_is_kept_when_a_later_one_fails() -> None:
    embedder = FakeEmbedder(most_texts=2)
    vectors = Vectors(embedder)
    await vectors.fetch(["a", "b", "c", "bad", "d"])
    assert embedder.calls == [["a", "b"], ["c", "bad"], ["c"], ["bad"], ["d"]]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (ErrorCode.MODEL_RATE_LIMITED, TransientError),
        (ErrorCode.MODEL_UNAVAILABLE, TransientError),
        (ErrorCode.MODEL_TIMEOUT, TransientError),
        (ErrorCode.MODEL_NONSENSE, TransientError),
        (ErrorCode.MODEL_ERROR, TransientError),
        (ErrorCode.MODEL_AUTHENTICATION, FatalError),
        (ErrorCode.MODEL_NOT_FOUND, FatalError),
    ],
)
async def test_trouble_that_is_not_the_texts_gives_nothing_up(
    code: ErrorCode, expected: type[Exception]
) -> None:
    embedder = FakeEmbedder(error=ModelError("no", code=code))
    vectors = Vectors(embedder)
    with pytest.raises(expected):
        await vectors.fetch(["a"])
    assert vectors.refused == {}
    embedder.error = None
    await vectors.fetch(["a"])
    assert set(vectors.packed) == {"a"}
