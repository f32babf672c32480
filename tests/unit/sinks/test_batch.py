"""One row per key, sorted."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.batch import Rule, winners


@dataclass(frozen=True)
class Item:
    """A row."""

    key: str
    version: tuple[int, int]
    place: int


@dataclass(frozen=True)
class Sent:
    """A message."""

    partition: int
    offset: int
    topic: str = "t"
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


ITEMS = st.lists(st.tuples(st.sampled_from("abc"), st.tuples(st.integers(0, 2), st.integers(0, 2)))).map(
    lambda pairs: [Item(key, version, place) for place, (key, version) in enumerate(pairs)]
)


def best(items: list[Item], rule: Rule) -> list[Item]:
    """The plain reading of each rule."""

    def rank(item: Item) -> tuple[tuple[int, int], int]:
        match rule:
            case Rule.FIRST | Rule.ONCE:
                return (0, 0), -item.place
            case Rule.LAST:
                return (0, 0), item.place
            case Rule.GREATEST:
                return item.version, -item.place

    keys = sorted({item.key for item in items})
    return [max((item for item in items if item.key == key), key=rank) for key in keys]


@given(ITEMS, st.sampled_from(list(Rule)))
def test_each_key_has_its_winner_once_and_keys_are_sorted(items: list[Item], rule: Rule) -> None:
    found = winners(items, rule=rule, key=lambda item: item.key, version=lambda item: item.version)
    assert found == best(items, rule)


def test_the_greatest_without_versions_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a version"):
        winners([], rule=Rule.GREATEST, key=str)
