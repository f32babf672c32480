"""What follows a failed model call: the policy as a function."""

import pytest

from llm.completion import ModelError
from llm.patience import FallBack, GiveUp, Patience, Retry, after_failure, turn_limit_s
from schemas.errors import ErrorCode

PATIENCE = Patience(tries=3, first_wait_s=1.0, most_wait_s=8.0)
PASSING = ModelError("busy", code=ErrorCode.MODEL_UNAVAILABLE, is_retryable=True)
LASTING = ModelError("no key", code=ErrorCode.MODEL_AUTHENTICATION)


def told_to_wait(seconds: float) -> ModelError:
    return ModelError(
        "slow down", code=ErrorCode.MODEL_RATE_LIMITED, is_retryable=True, retry_after_s=seconds
    )


def after(
    error: ModelError,
    *,
    tries: int = 1,
    left_s: float = 100.0,
    turn_s: float = 100.0,
    has_next: bool = False,
    chance: float = 0.0,
) -> Retry | FallBack | GiveUp:
    return after_failure(
        error,
        tries=tries,
        left_s=left_s,
        turn_s=turn_s,
        has_next=has_next,
        patience=PATIENCE,
        chance=chance,
    )


@pytest.mark.parametrize(
    ("tries", "chance", "wait_s"), [(1, 0.0, 0.5), (1, 1.0, 1.0), (2, 0.0, 1.0), (2, 1.0, 2.0)]
)
def test_waits_double_and_half_of_each_is_chance(tries: int, chance: float, wait_s: float) -> None:
    assert after(PASSING, tries=tries, chance=chance) == Retry(wait_s)


def test_the_longest_wait_bounds_the_doubling() -> None:
    many = Patience(tries=50, first_wait_s=1.0, most_wait_s=8.0)
    step = after_failure(PASSING, tries=40, left_s=100, turn_s=100, has_next=False, patience=many, chance=1.0)
    assert step == Retry(8.0)


@pytest.mark.parametrize(("has_next", "expected"), [(True, FallBack()), (False, GiveUp())])
@pytest.mark.parametrize(("error", "tries"), [(LASTING, 1), (PASSING, 3)])
def test_lasting_trouble_and_spent_tries_end_a_models_turn(
    error: ModelError, tries: int, has_next: bool, expected: FallBack | GiveUp
) -> None:
    assert after(error, tries=tries, has_next=has_next) == expected


@pytest.mark.parametrize(("chance", "wait_s"), [(0.0, 5.0), (1.0, 5.5)])
def test_retry_after_is_kept_and_a_little_spread(chance: float, wait_s: float) -> None:
    assert after(told_to_wait(5.0), chance=chance) == Retry(wait_s)


def test_a_long_retry_after_is_waited_for_only_where_no_other_model_is_left() -> None:
    assert after(told_to_wait(30.0)) == Retry(30.0)
    assert after(told_to_wait(30.0), has_next=True) == FallBack()
    assert after(told_to_wait(3.0), has_next=True) == Retry(3.0)


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    assert after(told_to_wait(30.0), left_s=20.0, turn_s=20.0) == GiveUp()
    assert after(PASSING, left_s=20.0, turn_s=0.3, has_next=True) == FallBack()


def test_without_time_no_other_model_is_asked_either() -> None:
    assert after(LASTING, left_s=0.01, turn_s=0.01, has_next=True) == GiveUp()


def test_a_deadline_is_final() -> None:
    assert after(ModelError("late", code=ErrorCode.DEADLINE), has_next=True) == GiveUp()


def test_models_share_the_time_that_is_left() -> None:
    assert [turn_limit_s(90.0, 3), turn_limit_s(60.0, 2), turn_limit_s(30.0, 1)] == [30.0, 30.0, 30.0]
