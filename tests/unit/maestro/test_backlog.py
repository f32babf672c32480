"""What waits for a process: how many messages, and how old the oldest is, also of those not fetched yet."""

from hypothesis import given
from hypothesis import strategies as st

from maestro.wiring.backlog import Backlog, Standing, TopicBacklog

NOW_S = 1_800_000_000.0


def test_lags_of_a_topic_add_up_and_its_oldest_message_counts() -> None:
    standings = {
        ("a", 0): Standing(5, 9, round((NOW_S - 3) * 1000)),
        ("a", 1): Standing(7, 8, round((NOW_S - 60) * 1000)),
        ("a", 2): Standing(4, 4),
        ("b", 0): Standing(0, 0),
    }
    assert Backlog().observe(standings, NOW_S) == {"a": TopicBacklog(5, 60.0), "b": TopicBacklog()}


def test_what_is_not_fetched_ages_from_when_it_was_first_seen_to_wait() -> None:
    backlog = Backlog()
    stuck = {("a", 0): Standing(5, 9)}
    assert backlog.observe(stuck, NOW_S)["a"].oldest_s == 0
    assert backlog.observe({("a", 0): Standing(5, 12)}, NOW_S + 30)["a"] == TopicBacklog(7, 30.0)
    assert backlog.observe({("a", 0): Standing(6, 12)}, NOW_S + 40)["a"] == TopicBacklog(6, 0.0)
    assert backlog.observe({("a", 0): Standing(12, 12)}, NOW_S + 50)["a"] == TopicBacklog()
    assert backlog.observe(stuck, NOW_S + 60)["a"].oldest_s == 0


def test_a_partition_that_went_elsewhere_is_forgotten() -> None:
    backlog = Backlog()
    _ = backlog.observe({("a", 0): Standing(5, 9)}, NOW_S)
    assert backlog.observe({}, NOW_S + 10) == {}
    assert backlog.observe({("a", 0): Standing(5, 9)}, NOW_S + 20)["a"].oldest_s == 0


@given(st.integers(0, 50), st.integers(0, 50), st.none() | st.integers(0, 2_000_000_000_000))
def test_no_age_or_lag_is_negative_and_no_age_is_without_lag(
    next_offset: int, end: int, oldest_ms: int | None
) -> None:
    found = Backlog().observe({("a", 0): Standing(next_offset, end, oldest_ms)}, NOW_S)["a"]
    assert found.lag >= 0
    assert found.oldest_s >= 0
    assert found.lag or not found.oldest_s
