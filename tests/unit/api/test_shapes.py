"""What the edge says of a session before the record has it is what the session step makes of the command."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from api.parameters import TITLE_CHARS, Title
from api.shapes import NewSession, session_to_be
from schemas import ids
from schemas.lists import CommandKind
from schemas.records import SessionCommand
from streams.session.decide import user_message
from streams.session.decide.command import CommandValues
from streams.session.sizes import first_chars

TITLE: TypeAdapter[str] = TypeAdapter(Title)
NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)


def accepted(text: str) -> str | None:
    try:
        return TITLE.validate_python(text)
    except ValidationError:
        return None


@given(st.text(max_size=TITLE_CHARS + 5))
def test_a_title_that_is_taken_is_kept_as_it_is_shown(text: str) -> None:
    title = accepted(text)
    if title is None:
        assert len(text) > TITLE_CHARS or not text.split()
    else:
        kept = CommandValues.model_validate_json(json.dumps({"title": title})).title
        assert kept is not None
        assert first_chars(kept, user_message.TITLE_CHARS) == title


@pytest.mark.parametrize("text", ["", "  \t\n", "\x1c", "x" * (TITLE_CHARS + 1)])
def test_a_title_of_nothing_or_too_much_is_none(text: str) -> None:
    assert accepted(text) is None


def test_a_session_is_told_from_its_command() -> None:
    command = SessionCommand(id=ids.new_id(), session_id=ids.new_id(), user_id="ada", kind=CommandKind.CREATE)
    told = session_to_be(command, NewSession(title="a\nb", agent_id="assistant"), NOW)
    assert told.model_dump(mode="json") == {
        "id": command.session_id,
        "user_id": "ada",
        "agent_id": "assistant",
        "title": "a b",
        "created_at": "2026-11-22T01:02:03Z",
        "last_activity": "2026-11-22T01:02:03Z",
        "total_messages": 0,
        "status": "active",
        "state": "active",
        "context_summary": "",
        "last_message": None,
    }
    assert session_to_be(command, NewSession(), NOW).title == "New session"
