"""Weeks begin on mondays, in UTC."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sinks.postgres.weeks import week_of, weeks_ahead, weeks_of

INSTANTS = st.datetimes(datetime(1970, 1, 5), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(INSTANTS)
def test_every_instant_lies_in_the_week_of_its_monday(instant: datetime) -> None:
    monday = week_of((instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))
    start = datetime(monday.year, monday.month, monday.day, tzinfo=UTC)
    assert monday.weekday() == 0
    assert start <= instant < start + timedelta(days=7)


def test_this_week_and_the_following_ones_are_made_ahead() -> None:
    sunday = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
    assert weeks_ahead(sunday, 2) == {date(2026, 11, 16), date(2026, 11, 23), date(2026, 11, 30)}


def test_what_is_no_date_has_no_week() -> None:
    assert weeks_of([-(2**62), -1, 2**62]) == frozenset()
    assert weeks_of([0, 2**62]) == {date(1969, 12, 29)}
