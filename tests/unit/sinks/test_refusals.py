"""How much may be refused within a window."""

from sinks.refusals import Refusals


def test_the_limit_itself_is_not_too_much_and_one_more_is() -> None:
    full = Refusals(limit=2, window_s=10).adding(2, now_s=0)
    assert not full.is_too_much
    assert full.adding(1, now_s=9).is_too_much


def test_what_lies_before_the_window_is_forgotten() -> None:
    assert not Refusals(limit=2, window_s=10).adding(2, now_s=0).adding(2, now_s=10).is_too_much
