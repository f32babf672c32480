"""Exit codes and words for what a run came to."""

from datetime import UTC, datetime

import orjson
import pytest

from maestro.cli.outcome import code_of, tell, unanswered
from maestro.conversation import is_confirmed
from schemas import ids
from schemas.lists import RunStatus, StopReason
from schemas.records import Run

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def run_of(status: RunStatus, **fields: object) -> Run:
    values: dict[str, object] = {
        "id": ids.new_id(),
        "task_id": ids.new_id(),
        "session_id": ids.new_id(),
        "message_id": ids.new_id(),
        "user_id": "alice",
        "status": status,
        "input": "how many?",
        "created_at": NOW,
        "term": 3,
        "version": 7,
    }
    return Run.model_validate(values | fields)


class Entry:
    """The recorded entry of a version."""

    def __init__(self, term: int) -> None:
        self.term = term


@pytest.mark.parametrize(
    ("status", "exit_code"),
    [
        (RunStatus.COMPLETED, 0),
        (RunStatus.FAILED, 1),
        (RunStatus.CANCELLED, 3),
        (RunStatus.REJECTED, 4),
        (RunStatus.UNKNOWN, 1),
    ],
)
def test_each_end_of_a_run_has_its_exit_code(status: RunStatus, exit_code: int) -> None:
    assert tell(run_of(status, output="42")) == exit_code


def test_an_answer_goes_to_stdout_alone(capsys: pytest.CaptureFixture[str]) -> None:
    tell(run_of(RunStatus.COMPLETED, output="[bold]42[/bold]"))

    assert capsys.readouterr() == ("[bold]42[/bold]\n", "")


def test_an_error_goes_to_stderr_with_its_code_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    run = run_of(RunStatus.REJECTED, error_code="unknown_agent", error_message="name another one")

    tell(run)

    assert capsys.readouterr() == ("", "rejected (unknown_agent): name another one\n")


def test_json_is_the_whole_run(capsys: pytest.CaptureFixture[str]) -> None:
    run = run_of(RunStatus.FAILED, error_code="model_error", error_message="try later")

    tell(run, as_json=True)

    assert Run.model_validate(orjson.loads(capsys.readouterr().out)) == run


def test_the_code_of_a_run_without_error_code_is_its_stop_reason() -> None:
    assert code_of(run_of(RunStatus.CANCELLED, stop_reason=StopReason.CANCELLED)) == "cancelled"
    assert code_of(run_of(RunStatus.CANCELLED)) == "unknown"


@pytest.mark.parametrize(
    ("run", "cause"),
    [
        (None, "maestro worker session"),
        (run_of(RunStatus.RUNNING), "maestro worker generate"),
        (run_of(RunStatus.COMPLETED), "maestro sink postgres"),
    ],
)
def test_whoever_waited_in_vain_is_told_which_program_to_look_at(run: Run | None, cause: str) -> None:
    text = unanswered(run, session_id="s-1", timeout_s=5, trouble="no answer from Kafka")

    assert cause in text
    assert "within 5 s" in text
    assert "maestro trail --session s-1" in text
    assert "no answer from Kafka" in text


@pytest.mark.parametrize(
    ("recorded_terms", "is_true"),
    [([3], True), ([2], True), ([], False), ([4], False)],
    ids=[
        "same term",
        "published again by a rebuild",
        "not recorded yet",
        "void: a later term took its place",
    ],
)
def test_a_run_is_believed_when_the_record_has_its_entry(recorded_terms: list[int], is_true: bool) -> None:
    run = run_of(RunStatus.COMPLETED, term=3)

    assert is_confirmed(run, [Entry(term) for term in recorded_terms]) is is_true
