"""A person steers sessions through the installed command: lists, approvals, cancelling, life of a session."""

import uuid
from typing import Any

import pytest

from tests.e2e.dev.conftest import FirstStart
from tests.e2e.dev.installed import Maestro, until

pytestmark = pytest.mark.timeout(300)

QUESTION = "Which product sold best last month?"
CAREFUL = """
id: {id}
system_prompt: You look at the data.
model: rehearsal
tools: [sql_query, current_time]
approvals: {{sql_query: always}}
"""


@pytest.fixture(scope="module")
def user() -> str:
    """A user whom no other test knows."""
    return f"user-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def agent(
    maestro: Maestro, first_start: FirstStart, user: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The user's agent, which asks before it looks at the data."""
    assert first_start.stdout
    name = f"careful-{user}"
    file = tmp_path_factory.mktemp("agents") / "agent.yaml"
    _ = file.write_text(CAREFUL.format(id=name))
    _ = maestro.ok("agents", "apply", str(file), "--user", user)
    return name


@pytest.fixture
def asked(dev: Maestro, user: str, agent: str) -> dict[str, Any]:
    """A question about a tool call that a person has not answered yet."""
    _ = dev.ok("send", QUESTION, "--agent", agent, "--user", user)
    found: list[dict[str, Any]] = []

    def is_asked() -> bool:
        found[:] = dev.rows("approvals", "--user", user, "--json")
        return bool(found)

    until("a person is asked", is_asked)
    return found[0]


def run_of(dev: Maestro, asked: dict[str, Any]) -> dict[str, Any]:
    rows = dev.rows("runs", "--session", asked["session_id"], "--json")
    return next(row for row in rows if row["id"] == asked["run_id"])


def test_a_call_starts_when_it_is_approved(dev: Maestro, user: str, asked: dict[str, Any]) -> None:
    assert (asked["tool_name"], asked["is_unknown"]) == ("sql_query", False)
    assert run_of(dev, asked)["status"] == "waiting"
    stranger = dev.run("approve", asked["tool_call_id"], "--user", "stranger")
    assert stranger.returncode == 1
    assert "wrong_owner" in stranger.stderr

    (came,) = dev.rows("approve", asked["tool_call_id"], "--user", user, "--json")

    assert came["actions"][0] == "tool_approved"
    until("the run ends", lambda: run_of(dev, asked)["status"] == "completed")


def test_a_denied_call_tells_the_model_why(dev: Maestro, user: str, asked: dict[str, Any]) -> None:
    _ = dev.ok("deny", asked["tool_call_id"], "--reason", "not on Saturdays", "--user", user)
    until("the run ends", lambda: run_of(dev, asked)["status"] == "completed")
    assert "not on Saturdays" in run_of(dev, asked)["output"]


def test_a_session_is_cancelled_named_put_away_and_erased(
    dev: Maestro, user: str, asked: dict[str, Any]
) -> None:
    session = asked["session_id"]
    _ = dev.ok("cancel", asked["run_id"], "--user", user)
    ignored = dev.run("cancel", asked["run_id"], "--user", user)
    assert (ignored.returncode, "not active any more" in ignored.stderr) == (1, True)

    _ = dev.ok("session", "configure", session, "--title", "Another title", "--user", user)
    _ = dev.ok("session", "archive", session, "--user", user)
    listed = {row["id"]: row for row in dev.rows("sessions", "--user", user, "--archived", "--json")}
    assert (listed[session]["title"], listed[session]["archived"]) == ("Another title", True)

    _ = dev.ok("session", "erase", session, "--yes", "--user", user)
    assert dev.run("trail", "--session", session).returncode == 1


def test_the_lag_names_every_group(dev: Maestro) -> None:
    groups = {row["group"].rpartition(".")[2]: row for row in dev.rows("lag", "--json")}
    assert {"session", "generate", "execute", "sink-postgres"} <= groups.keys()
    assert groups["sink-postgres"]["has_run"]
    assert groups["session"]["partitions"]
