"""The weekly partitions of the log: which ones a batch needs, which ones are made ahead. Pure."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

_WEEK = timedelta(days=7)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROS_OF_DAY = timedelta(days=1) // timedelta(microseconds=1)
_DATES = range((datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1))


def week_of(micros: int) -> date:
    """Return the monday (UTC) of the week of an instant in microseconds since 1970."""
    day = (_EPOCH + timedelta(microseconds=micros)).date()
    return day - timedelta(days=day.weekday())


def weeks_of(instants: Iterable[int]) -> frozenset[date]:
    """Return the mondays of all weeks that the instants fall into.

    None of what is no date: the database refuses that row for want of a partition, and no other.
    """
    days = {micros // _MICROS_OF_DAY for micros in instants}
    return frozenset(week_of(day * _MICROS_OF_DAY) for day in days if day * _MICROS_OF_DAY in _DATES)


def weeks_ahead(now: datetime, count: int) -> frozenset[date]:
    """Return the mondays of this week and of the `count` following ones."""
    today = now.astimezone(UTC).date()
    monday = today - timedelta(days=today.weekday())
    return frozenset(monday + _WEEK * n for n in range(count + 1))
