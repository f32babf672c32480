"""Text that can be encoded, whatever a stream left of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.well_formed import well_formed, without_nul


@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_encoded_afterwards_and_stays(text: str) -> None:
    once = well_formed(text)
    _ = once.encode()
    assert well_formed(once) == once


@given(st.text(st.characters(codec="utf-8")))
def test_good_text_is_left_alone(text: str) -> None:
    assert well_formed(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\ud83d\udea2", "🚢"),
        ("a\ud83d", "a\ufffd"),
        ("\udea2b", "\ufffdb"),
        ("\udea2\ud83d", "\ufffd\ufffd"),
    ],
)
def test_pairs_are_joined_and_lone_halves_replaced(text: str, expected: str) -> None:
    assert well_formed(text) == expected


def test_nul_is_replaced() -> None:
    assert without_nul("a\x00b") == "a\ufffdb"
