"""What of a batch is written: one row per key, sorted. Pure."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Rule(StrEnum):
    """Which of several rows with one key wins, in a batch and in the table."""

    FIRST = "first"
    """Immutable records: the first in partition order."""
    GREATEST = "greatest"
    """Records of a session's state: the greatest version, strictly; the first of equals."""
    LAST = "last"
    """Records without a version: the newest message."""
    ONCE = "once"
    """Judged before they are written, so no key comes twice: looking for another is a fifth of an insert."""


def winners(
    rows: Iterable[T],
    *,
    rule: Rule,
    key: Callable[[T], str],
    version: Callable[[T], tuple[int, int]] | None = None,
) -> list[T]:
    """Return one row per key by `rule`, sorted by key so that two writers never deadlock.

    Raises:
        ValueError: the rule needs versions and none are given.

    """
    if rule is Rule.GREATEST and version is None:
        message = "the greatest of a key needs a version"
        raise ValueError(message)
    best: dict[str, T] = {}
    for row in rows:
        name = key(row)
        held = best.get(name)
        if held is None or _beats(row, held, rule, version):
            best[name] = row
    return [best[name] for name in sorted(best)]


def _beats(row: T, held: T, rule: Rule, version: Callable[[T], tuple[int, int]] | None) -> bool:
    if rule is Rule.GREATEST and version is not None:
        return version(row) > version(held)
    return rule is Rule.LAST
