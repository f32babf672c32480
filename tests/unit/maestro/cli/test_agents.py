"""Agent files: read together, owned by one."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from maestro.cli.agents import read_files, record_of, row_of, unknown_tools
from schemas.agent_file import AgentFile
from schemas.errors import PoisonError

BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
ANALYST = AgentFile(id="analyst", tools=("sql_query", "missing"))


def test_all_problems_of_all_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("id: one\n---\nid: two\n")
    (tmp_path / "wrong.yaml").write_text("id: three\nmodell: x\n")
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\xff")

    found, problems = read_files(sorted(tmp_path.iterdir()))

    assert [agent.id for agent in found] == ["one", "two"]
    assert len(problems) == 3
    assert any("modell" in problem for problem in problems)


def test_the_type_of_built_in_agents_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("id: one\ntype: built-in\n")

    (problem,) = read_files([tmp_path / "a.yaml"])[1]

    assert "kept for Maestro's own agents" in problem


def test_an_agent_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("id: one\n---\nid: one\n")

    assert read_files([tmp_path / "a.yaml"])[1] == ["agent one is there 2 times"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('id: one\nsystem_prompt: "a\\ud800"\n', "UTF-8"),
        ("id: " + "[" * 5_000, "nested too deep"),
    ],
    ids=["half a surrogate pair", "deep"],
)
def test_what_yaml_can_write_and_no_message_can_carry_is_refused(
    tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "a.yaml").write_text(text)

    found, (problem,) = read_files([tmp_path / "a.yaml"])

    assert not found
    assert says in problem


def test_an_agent_that_no_run_could_carry_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"id: one\nsystem_prompt: {'x' * 65_536}\n")

    (problem,) = read_files([tmp_path / "a.yaml"])[1]

    assert problem.startswith("agent one: its configuration has 65,9")


def test_an_agent_that_is_applied_again_keeps_its_birth() -> None:
    known = ANALYST.record(user_id="alice", now=BEFORE)

    record = record_of(ANALYST, owner="alice", known=known, now=NOW)

    assert (record.created_at, record.updated_at) == (BEFORE, NOW)


@pytest.mark.parametrize("owner", ["alice", None])
def test_an_agent_of_somebody_else_is_not_replaced(owner: str | None) -> None:
    known = ANALYST.record(user_id=owner, now=BEFORE)

    with pytest.raises(PoisonError, match="choose another id") as raised:
        record_of(ANALYST, owner="bob", known=known, now=NOW)

    assert raised.value.code == "wrong_owner"


def test_tools_that_nobody_knows_here_are_named() -> None:
    (warning,) = unknown_tools([ANALYST, AgentFile(id="other")], ["sql_query"])

    assert "analyst" in warning
    assert "missing" in warning
    assert "sql_query" not in warning


def test_an_agent_with_a_broken_configuration_is_listed_all_the_same() -> None:
    broken = ANALYST.record(user_id=None, now=NOW).model_copy(update={"configuration": '{"tools": 1}'})

    row = row_of(broken)

    assert row["model"] is None
    assert "tools" in row["error"]
