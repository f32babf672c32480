"""Pieces of texts: bounded, overlapping, whole together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.embeddings.chunks import chunks_of

TEXTS = st.text(st.sampled_from("ab c.\n "), max_size=400)


@given(TEXTS, st.integers(10, 60), st.integers(0, 4))
def test_pieces_are_bounded_and_hold_every_word_of_the_text(text: str, size: int, overlap: int) -> None:
    pieces = chunks_of(text, size=size, overlap=overlap)
    held: set[int] = set()
    for piece in pieces:
        assert 0 < len(piece.words) <= size
        assert text[piece.start : piece.start + len(piece.words)] == piece.words
        held.update(range(piece.start, piece.start + len(piece.words)))
    assert all(letter.isspace() for place, letter in enumerate(text) if place not in held)
    assert [piece.start for piece in pieces] == sorted({piece.start for piece in pieces})


@pytest.mark.parametrize("text", ["", "   ", "\n\n \n"])
def test_a_blank_text_has_no_pieces(text: str) -> None:
    assert chunks_of(text, size=100, overlap=10) == []


def test_a_short_text_is_one_piece() -> None:
    (piece,) = chunks_of("hello there", size=100, overlap=10)
    assert (piece.start, piece.words) == (0, "hello there")


def test_cuts_are_made_between_paragraphs_then_sentences_then_words() -> None:
    paragraphs = chunks_of("First one. And more.\n\nSecond one here.", size=30, overlap=0)
    sentences = chunks_of("First one is here. Second one is here too.", size=30, overlap=0)
    words = chunks_of("one two three four five six seven", size=20, overlap=0)
    assert [each.words for each in paragraphs] == ["First one. And more.\n\n", "Second one here."]
    assert [each.words for each in sentences] == ["First one is here. ", "Second one is here too."]
    assert [each.words for each in words] == ["one two three four ", "five six seven"]


def test_a_piece_begins_with_the_last_words_of_the_one_before() -> None:
    first, second, *_ = chunks_of("one two three four five six seven eight", size=22, overlap=10)
    assert first.words.endswith("four ")
    assert second.words.startswith("four")


def test_an_overlap_of_half_a_piece_is_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        chunks_of("x", size=10, overlap=5)
