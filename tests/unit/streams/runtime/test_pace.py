"""The pace of fetches: messages gather under load, and nobody waits who talks alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.pace import Pace


def settled_rest_s(rate: float, in_flight: int) -> float:
    """Return the seconds of rest when messages come evenly at `rate` a second and are fetched at the pace."""
    pace, now_s = Pace(), 100.0
    for _ in range(300):
        waited_s = max(pace.rest_s(now_s), 1 / rate)
        now_s += waited_s
        pace.took(max(1, round(rate * waited_s)), in_flight, now_s)
    return pace.rest_s(now_s)


def test_messages_one_after_another_are_fetched_at_once_however_fast() -> None:
    assert settled_rest_s(500, in_flight=0) == 0


def test_a_few_sessions_at_a_time_are_fetched_at_once() -> None:
    assert settled_rest_s(50, in_flight=1) == 0


def test_messages_in_company_gather_longer_the_more_there_are() -> None:
    some_s, more_s, most_s = (settled_rest_s(rate, in_flight=2) for rate in (150, 200, 1000))
    assert 0 < some_s < more_s < most_s
    assert most_s == pytest.approx(0.025)


def test_a_burst_after_silence_is_soon_forgotten() -> None:
    pace = Pace()
    for number in range(50):
        pace.took(25, 20, 100 + number * 0.025)
    pace.took(1, 1, 103)
    assert pace.rest_s(103) == 0


def test_takes_during_the_rest_do_not_make_it_longer() -> None:
    pace = Pace()
    for number in range(50):
        pace.took(25, 20, 100 + number * 0.03)
    rest_s = pace.rest_s(101.47)
    pace.took(25, 20, 101.48)
    assert pace.rest_s(101.48) < rest_s - 0.009


@given(
    st.lists(st.tuples(st.floats(0, 10), st.integers(1, 500), st.integers(0, 64)), min_size=1),
    st.floats(0, 1),
)
def test_the_rest_is_never_longer_than_its_limit(takes: list[tuple[float, int, int]], later_s: float) -> None:
    pace, now_s = Pace(), 5.0
    for after_s, messages, in_flight in takes:
        now_s += after_s
        pace.took(messages, in_flight, now_s)
    assert 0 <= pace.rest_s(now_s + later_s) <= 0.0251
