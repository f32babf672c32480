"""Questions through the installed command: answers, their record, agents of one's own, refusals."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.dev.conftest import FirstStart
from tests.e2e.dev.installed import Maestro, until

pytestmark = pytest.mark.timeout(300)

QUESTION = "Which product sold best last month?"
STAGES = ("plan", "tool call", "result", "observation")
AGENT = """
id: {id}
system_prompt: You talk.
model: rehearsal
planning: none
"""


@pytest.fixture(scope="module")
def answered(maestro: Maestro, first_start: FirstStart) -> dict[str, Any]:  # noqa: ARG001  it has started
    """One completed run about the demo shop."""
    return json.loads(maestro.ok("ask", "--json", QUESTION))


def recorded(dev: Maestro, run: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the session's trail once the sink has all of the run."""
    trail: list[dict[str, Any]] = []

    def is_whole() -> bool:
        done = dev.run("trail", "--session", run["session_id"], "--json")
        trail[:] = [json.loads(line) for line in done.stdout.splitlines()]
        return any(entry["action"] == "run_completed" and entry["run_id"] == run["id"] for entry in trail)

    until(f"the record has run {run['id']}", is_whole)
    return trail


def test_the_first_start_answers_a_question_and_shows_each_stage(first_start: FirstStart) -> None:
    for stage in STAGES:
        assert stage in first_start.stderr
    assert "sold best last month" in first_start.stdout
    assert "maestro ask" in first_start.stdout


def test_an_answer_comes_with_its_run(answered: dict[str, Any]) -> None:
    assert answered["status"] == "completed"
    assert "sold best last month" in answered["output"]
    assert "shop.order_lines" in answered["sql_query"]


def test_a_second_question_goes_on_in_its_session(dev: Maestro, answered: dict[str, Any]) -> None:
    session = answered["session_id"]
    again = json.loads(dev.ok("ask", "--json", "--session", session, QUESTION))
    assert again["session_id"] == session
    sequences = [entry["sequence"] for entry in recorded(dev, again)]
    assert sequences == list(range(1, len(sequences) + 1))


def test_the_trail_of_a_session_is_a_chain_that_holds(dev: Maestro, answered: dict[str, Any]) -> None:
    _ = recorded(dev, answered)
    done = dev.run("trail", "--session", answered["session_id"], "--verify")
    assert done.returncode == 0, done.stderr
    assert "holds" in done.stderr
    for action in ("message_received", "plan", "tool_called", "tool_succeeded", "run_completed"):
        assert action in done.stdout


def test_a_tool_call_is_shown_with_its_result(dev: Maestro, answered: dict[str, Any]) -> None:
    called = next(entry for entry in recorded(dev, answered) if entry["action"] == "tool_called")
    until(
        "the tool call is recorded",
        lambda: dev.run("tool-call", called["tool_call_id"]).returncode == 0,
    )
    shown = json.loads(dev.ok("tool-call", called["tool_call_id"], "--json"))
    assert shown["tool_call"]["name"] == "sql_query"
    assert shown["result"] is not None
    assert shown["generation"] is not None


def test_the_cost_of_a_session_counts_its_generations(dev: Maestro, answered: dict[str, Any]) -> None:
    _ = recorded(dev, answered)
    until(
        "both generations are recorded",
        lambda: (
            json.loads(dev.run("cost", answered["session_id"], "--json").stdout or "{}").get("generations", 0)
            >= 2
        ),
    )


def test_a_topic_is_printed_as_json_lines(dev: Maestro, answered: dict[str, Any]) -> None:
    rows = dev.rows("tail", "runs", "--until-end", "--session", answered["session_id"])
    finished = [row for row in rows if row["value"]["id"] == answered["id"]]
    assert finished[-1]["value"]["status"] == "completed"


def test_there_are_no_dead_letters_of_good_messages(dev: Maestro, answered: dict[str, Any]) -> None:
    assert answered["status"] == "completed"
    assert dev.rows("dlq", "list", "--json") == []


def test_an_agent_of_ones_own_answers(dev: Maestro, tmp_path: Path) -> None:
    name = f"talker-{uuid.uuid4().hex[:8]}"
    file = tmp_path / "agent.yaml"
    _ = file.write_text(AGENT.format(id=name))
    _ = dev.ok("agents", "apply", str(file))
    run = json.loads(dev.ok("ask", "--json", "--agent", name, "Hello!"))
    assert (run["status"], run["agent_id"]) == ("completed", name)


def test_an_unknown_agent_is_a_rejected_run(dev: Maestro) -> None:
    done = dev.run("ask", "--agent", "nobody", "Hello!")
    assert done.returncode == 4
    assert "unknown_agent" in done.stderr
