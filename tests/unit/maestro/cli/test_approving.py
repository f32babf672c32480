"""What a person types at the question whether a tool call may start."""

import pytest

from maestro.cli.approving import Approving, parsed_answer
from maestro.cli.stages import line_of
from maestro.cli.wording import duration

ASKED = {
    "stage": "approval_requested",
    "tool_name": "transfer",
    "tool_call_id": "call-7",
    "arguments": '{"amount": 5}',
    "at_ms": 1_000,
    "due_ms": 601_000,
    "is_unknown": False,
}


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("y\n", (True, None)),
        ("YES\n", (True, None)),
        ("n\n", (False, None)),
        ("n: not on Saturdays\n", (False, "not on Saturdays")),
        ("no, too much", (False, "too much")),
        ("maybe\n", None),
        ("\n", None),
    ],
)
def test_a_line_is_a_yes_a_no_with_its_reason_or_neither(
    line: str, answer: tuple[bool, str | None] | None
) -> None:
    assert parsed_answer(line) == answer


async def test_what_is_decided_elsewhere_is_asked_no_more() -> None:
    async def decide(call: str, is_approved: bool, reason: str | None) -> None:
        raise AssertionError((call, is_approved, reason))

    approving = Approving(decide)
    approving.notice(ASKED)
    assert list(approving._open) == ["call-7"]
    approving.notice(ASKED | {"stage": "tool_denied"})
    assert not approving._open


def test_a_question_says_how_to_answer_it_and_until_when() -> None:
    line = line_of(ASKED)
    assert line is not None
    for part in ("transfer", '{"amount": 5}', "maestro approve call-7", "maestro deny call-7", "10 min"):
        assert part in line.rendered


def test_a_question_about_an_unknown_outcome_says_so() -> None:
    line = line_of(ASKED | {"is_unknown": True})
    assert line is not None
    assert "may have done its work" in line.rendered


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (42, "42 s"), (120, "2 min"), (7_200, "2 h"), (200_000, "2 d")]
)
def test_spans_are_said_in_one_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text
