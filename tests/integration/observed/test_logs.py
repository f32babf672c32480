"""What the processes of a whole Maestro log at level info while people write to it."""

import pytest

from tests.integration.observed.house import MARKER, SESSIONS, House

pytestmark = pytest.mark.timeout(240)


async def test_nothing_that_anybody_wrote_is_in_any_log(house: House) -> None:
    lines = list(house.log_lines())
    assert {name for name, _ in lines} == {status.name for status in house.statuses}
    assert [(name, line) for name, line in lines if MARKER in line] == []


async def test_bad_messages_are_logged_by_their_place(house: House) -> None:
    kept = [entry for entry in house.log_entries() if entry["event"] == "message kept as dead letter"]
    assert {entry["stage"] for entry in kept} == {"session", "generate", "execute", "sink"}
    assert all(isinstance(entry["offset"], int) and entry["reason"] for entry in kept)


async def test_a_line_of_a_step_says_whose_it_is(house: House) -> None:
    failed = [entry for entry in house.log_entries() if entry["event"] == "tool failed"]
    assert len(failed) == SESSIONS
    rows = await house.fleet.database.fetch(
        "select id, session_id, run_id from tool_calls where name = 'shout'"
    )
    assert {(entry["step_id"], entry["session_id"], entry["run_id"]) for entry in failed} == {
        (str(row["id"]), str(row["session_id"]), str(row["run_id"])) for row in rows
    }
    assert all(len(entry["trace_id"]) == 32 for entry in failed)
    assert all("RuntimeError from ValueError" in entry["exception"] for entry in failed)
