"""How stages and words of a run look to a person."""

import pytest

from maestro.cli.draft import Draft
from maestro.cli.stages import ENDS, belongs, line_of, shortened
from schemas.lists import Action

RUN = "11111111-1111-5111-8111-111111111111"


def piece(attempt: str, text: str) -> dict[str, str]:
    return {"attempt_id": attempt, "text": text}


def test_a_tool_call_shows_its_name_and_arguments() -> None:
    line = line_of({"stage": "tool_called", "tool_name": "sql_query", "arguments": '{"query":"select 1"}'})

    assert line is not None
    assert line.rendered == 'tool call   sql_query {"query":"select 1"}'


def test_a_failed_tool_call_says_what_became_of_it() -> None:
    line = line_of({"stage": "tool_failed", "tool_name": "sql_query", "outcome": "timed_out", "text": "late"})

    assert line is not None
    assert line.rendered == "failed      sql_query (timed_out): late"


def test_further_lines_stand_under_the_first() -> None:
    line = line_of({"stage": "plan", "text": "first\nsecond"})

    assert line is not None
    assert line.rendered == "plan        first\n            second"


@pytest.mark.parametrize("action", sorted(ENDS))
def test_the_end_of_a_run_is_left_to_its_answer(action: Action) -> None:
    assert line_of({"stage": action.value, "output": "42"}) is None


def test_a_stage_that_a_newer_version_knows_is_left_out() -> None:
    assert line_of({"stage": "teleported"}) is None


def test_a_queued_run_says_how_many_are_before_it() -> None:
    assert "and 2 more" in str(line_of({"stage": "run_queued", "position": 2}))
    assert "more" not in str(line_of({"stage": "run_queued", "position": 0}))


@pytest.mark.parametrize(
    ("stage", "is_shown"),
    [
        ({"run_id": RUN, "at_ms": 1}, True),
        ({"run_id": "another", "at_ms": 9}, False),
        ({"run_id": None, "at_ms": 5}, True),
        ({"run_id": None, "at_ms": 4}, False),
    ],
)
def test_only_stages_of_the_run_and_later_ones_of_its_session_are_shown(
    stage: dict[str, object], is_shown: bool
) -> None:
    assert belongs(stage, run_id=RUN, since_ms=5) is is_shown


def test_long_texts_are_cut_with_a_sign() -> None:
    assert shortened("a" * 20, 10) == "a" * 10 + " …"
    assert shortened("\n".join("abc"), lines=2) == "a\nb …"
    assert shortened(" short \n") == "short"


def test_pieces_of_one_attempt_are_put_together() -> None:
    draft = Draft().with_piece(piece("a", "Hel")).with_piece(piece("a", "lo"))

    assert draft.text == "Hello"


def test_a_new_attempt_drops_the_text_of_the_old_one() -> None:
    draft = Draft().with_piece(piece("a", "Hel")).with_piece(piece("b", "Good"))

    assert draft.text == "Good"


def test_an_attempt_that_was_given_up_cannot_take_the_text_back() -> None:
    draft = Draft().with_piece(piece("a", "Hel")).with_piece(piece("b", "Good"))

    assert draft.with_piece(piece("a", "lo")).text == "Good"


def test_words_that_come_after_their_stage_are_dropped() -> None:
    draft = Draft().with_piece(piece("a", "Hel")).cleared()

    assert draft.with_piece(piece("a", "lo")).text == ""
    assert draft.with_piece(piece("b", "next")).text == "next"


def test_a_draft_shows_its_last_lines() -> None:
    assert Draft(text="1\n2\n3").last_lines(2) == "2\n3"
