"""When a timer is due, and of which kind it is, as the one number that Redis sorts it by. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from schemas.lists import TimerKind

SCORES_PER_MS: Final = 16
"""Room for kinds; with it the numbers stay far below 2^53, where Redis' doubles stop being exact."""

_NUMBERS: Mapping[str, int] = MappingProxyType(
    {
        TimerKind.UNKNOWN.value: 0,
        TimerKind.DEADLINE.value: 1,
        TimerKind.APPROVAL.value: 2,
        TimerKind.IDLE.value: 3,
        TimerKind.EXPIRY.value: 4,
    }
)
_KINDS: Mapping[int, str] = MappingProxyType({number: kind for kind, number in _NUMBERS.items()})


def score_of(due_ms: int, kind: str) -> bytes:
    """Return the score of a timer that is due at `due_ms`; a kind that is not known counts as `unknown`."""
    return b"%d" % (due_ms * SCORES_PER_MS + _NUMBERS.get(kind, 0))


def moment_of(score: int) -> tuple[int, str]:
    """Return due time and kind of a score."""
    due_ms, number = divmod(score, SCORES_PER_MS)
    return due_ms, _KINDS.get(number, TimerKind.UNKNOWN.value)
