"""A write is seen when its log entry and every row that comes with it are there."""

from dataclasses import replace

import pytest

from schemas.lists import Action
from stores.postgres.own_writes import Caused, CausedEntry

STARTED = CausedEntry(
    sequence=3, term=7, action=Action.RUN_STARTED, run_id="run", run=(7, 3), has_message=True
)
RECEIVED = replace(STARTED, sequence=2, action=Action.MESSAGE_RECEIVED, run=(7, 3), has_message=False)
SEEN = Caused(entries=(RECEIVED, STARTED), session=(7, 3), task=(7, 3), is_erased=False)


def test_a_write_is_seen_when_every_row_is_as_new_as_its_entry() -> None:
    assert SEEN.is_seen
    assert SEEN.run_id == "run"
    assert SEEN.actions == (Action.MESSAGE_RECEIVED, Action.RUN_STARTED)


@pytest.mark.parametrize(
    "behind",
    [
        replace(SEEN, session=None),
        replace(SEEN, session=(7, 2)),
        replace(SEEN, session=(6, 9)),
        replace(SEEN, task=(7, 2)),
        replace(SEEN, entries=(RECEIVED, replace(STARTED, run=(7, 2)))),
        replace(SEEN, entries=(RECEIVED, replace(STARTED, run=None))),
        replace(SEEN, entries=(RECEIVED, replace(STARTED, has_message=False))),
        replace(SEEN, entries=()),
    ],
)
def test_a_write_is_not_seen_while_a_row_is_older(behind: Caused) -> None:
    assert not behind.is_seen


def test_a_later_row_stands_for_the_one_before() -> None:
    later = replace(STARTED, run=(8, 4))
    assert replace(SEEN, entries=(RECEIVED, later), session=(7, 9), task=(9, 4)).is_seen


def test_an_erasure_is_seen_when_the_session_is_erased() -> None:
    erasing = replace(STARTED, action=Action.SESSION_ERASED, run=None, run_id=None, has_message=False)
    assert not replace(SEEN, entries=(erasing,)).is_seen
    assert replace(SEEN, entries=(), session=None, task=None, is_erased=True).is_seen
