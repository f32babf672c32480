"""The filter of forgotten runs never denies one that was added."""

from hypothesis import given
from hypothesis import strategies as st

from schemas import ids
from streams.session.forgotten import SIZE_BYTES, may_have, with_run

_RUNS = st.lists(st.integers(0, 10_000).map(lambda number: ids.run_id("s", str(number))), max_size=50)


@given(_RUNS)
def test_every_run_that_was_added_may_be_there(runs: list[str]) -> None:
    forgotten = b""
    for run in runs:
        forgotten = with_run(forgotten, run)
    assert all(may_have(forgotten, run) for run in runs)


def test_an_empty_filter_knows_nothing() -> None:
    assert not may_have(b"", ids.run_id("s", "m"))


def test_few_strangers_are_mistaken_for_one_of_a_thousand() -> None:
    forgotten = b""
    for number in range(1_000):
        forgotten = with_run(forgotten, ids.run_id("session", str(number)))
    strangers = [ids.run_id("another", str(number)) for number in range(5_000)]
    assert len(forgotten) == SIZE_BYTES
    assert sum(may_have(forgotten, run) for run in strangers) < 50
