"""When a failed model call is made again, when the next model is asked, and when to give up. Pure."""

from dataclasses import dataclass
from typing import Final

from llm.completion import ModelError
from schemas.errors import ErrorCode

LEAST_CALL_S: Final = 0.05
"""No call is begun with less time than this."""
_RETRY_AFTER_SPREAD: Final = 0.1
"""Share of a Retry-After that is added at random: those who were told the same do not come back together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often and how patiently one model is asked before the next one is."""

    tries: int = 3
    first_wait_s: float = 0.5
    """Wait before the second try; doubles each time."""
    most_wait_s: float = 20.0
    """Longest wait of our own choice. Who asks for more is left for the next model, where there is one."""
    call_limit_s: float = 120.0
    """Longest time of one call."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Ask the same model again after a pause."""

    after_s: float


@dataclass(frozen=True, slots=True)
class FallBack:
    """Ask the next model now."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nobody else is to be asked, or there is no time."""


def after_failure(
    error: ModelError,
    *,
    tries: int,
    left_s: float,
    turn_s: float,
    has_next: bool,
    patience: Patience,
    chance: float,
) -> Retry | FallBack | GiveUp:
    """Return what follows a failed call.

    `tries`: calls of this model so far, the failed one included. `left_s`: time until the request's deadline;
    `turn_s`: until this model's turn ends. `has_next`: whether there is another model. `chance`: from 0 to 1.
    """
    if error.code is ErrorCode.DEADLINE or left_s < LEAST_CALL_S:
        return GiveUp()
    if error.is_retryable and tries < patience.tries:
        wait_s = _wait_s(error, tries, patience, chance)
        is_too_long = has_next and wait_s > patience.most_wait_s
        if wait_s + LEAST_CALL_S <= turn_s and not is_too_long:
            return Retry(wait_s)
    return FallBack() if has_next else GiveUp()


def turn_limit_s(left_s: float, models_left: int) -> float:
    """Return how long the next model's turn may take, so that those after it get as long."""
    return left_s / max(1, models_left)


def _wait_s(error: ModelError, tries: int, patience: Patience, chance: float) -> float:
    if error.retry_after_s is not None:
        return error.retry_after_s * (1 + _RETRY_AFTER_SPREAD * chance)
    # Full doubling with the lower half certain: never at once, never all together.
    longest = min(patience.most_wait_s, patience.first_wait_s * 2 ** (tries - 1))
    return longest * (1 + chance) / 2
