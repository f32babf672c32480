"""How far a group is behind, from what Kafka and the record say."""

import pytest

from bus.admin import Lag
from maestro.lag import partition_lag, summary

PLACE = ("t.runs", 3)


@pytest.mark.parametrize(
    ("committed", "stored", "lag"),
    [(None, None, 10), (-1, None, 10), (4, None, 6), (4, 9, 1), (10, 0, 10), (10, 10, 0), (12, None, 0)],
)
def test_the_lag_is_what_is_not_processed_by_the_offset_that_counts(
    committed: int | None, stored: int | None, lag: int
) -> None:
    assert partition_lag(PLACE, Lag(committed, 10), stored).lag == lag


def test_a_group_that_never_came_is_told_from_one_that_is_behind() -> None:
    never = partition_lag(PLACE, Lag(None, 10), 0)
    behind = partition_lag(PLACE, Lag(4, 10), None)
    assert not summary("t.session", [never]).has_run
    assert summary("t.session", [never, behind]).has_run
    assert summary("t.session", [never, behind]).lag == 16
