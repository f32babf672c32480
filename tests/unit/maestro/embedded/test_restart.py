"""Restarts come later and later while a role keeps failing, and at once again after it worked."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from maestro.embedded.restart import (
    EXIT_MISCONFIGURED,
    FIRST_DELAY_S,
    HEALTHY_AFTER_S,
    LONGEST_DELAY_S,
    History,
    after_end,
    is_worth_restarting,
    restart_delay_s,
)


def test_the_delay_doubles_up_to_its_limit() -> None:
    history, delays = History(), list[float]()
    for _ in range(12):
        history = after_end(history, ran_s=0.1)
        delays.append(restart_delay_s(history))
    assert delays[:4] == [FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S, 8 * FIRST_DELAY_S]
    assert delays[-1] == LONGEST_DELAY_S
    assert all(later >= earlier for earlier, later in pairwise(delays))


def test_a_role_that_worked_long_enough_starts_from_the_first_delay() -> None:
    failing = History(failures=9, restarts=9)
    assert restart_delay_s(after_end(failing, ran_s=HEALTHY_AFTER_S)) == FIRST_DELAY_S
    assert restart_delay_s(after_end(failing, ran_s=HEALTHY_AFTER_S - 1)) == LONGEST_DELAY_S


@given(st.lists(st.floats(min_value=0, max_value=1000), max_size=2000))
def test_every_end_is_counted_and_every_delay_is_within_its_limits(runs: list[float]) -> None:
    history = History()
    for ran_s in runs:
        history = after_end(history, ran_s=ran_s)
        assert FIRST_DELAY_S <= restart_delay_s(history) <= LONGEST_DELAY_S
    assert history.restarts == len(runs)


def test_bad_settings_are_not_tried_again() -> None:
    assert not is_worth_restarting(EXIT_MISCONFIGURED)
    assert is_worth_restarting(1)
    assert is_worth_restarting(0)
    assert is_worth_restarting(-9)
