"""What came of a command, from the entries that it caused."""

from datetime import UTC, datetime

from maestro.commands import came
from schemas.lists import Action
from stores.postgres.session_logs import StoredLog


def entry(action: Action, payload: str = "{}") -> StoredLog:
    return StoredLog(
        id="a",
        session_id="s",
        task_id="t",
        user_id="alice",
        sequence=1,
        action=action,
        run_id=None,
        tool_name=None,
        tool_call_id=None,
        success=True,
        payload=payload,
        previous_hash="",
        hash="",
        term=1,
        cause_id="c",
        cause_topic="session-commands",
        cause_partition=0,
        cause_offset=0,
        trace_id="",
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_what_was_done_is_told_in_order() -> None:
    found = came("c", [entry(Action.TOOL_APPROVED), entry(Action.TOOL_CALLED)])
    assert (found.actions, found.ignored) == ((Action.TOOL_APPROVED, Action.TOOL_CALLED), None)


def test_an_ignored_command_says_why() -> None:
    found = came("c", [entry(Action.COMMAND_IGNORED, '{"kind":"cancel","reason":"not active any more"}')])
    assert found.ignored == "not active any more"
