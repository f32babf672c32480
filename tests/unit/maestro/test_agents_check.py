"""What `maestro agents check` finds in an agent, and that it finds all of it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from llm.known_models import model_problems
from llm.settings import ModelSettings
from maestro.agents.check import problems_of
from maestro.cli.agents_check import check
from schemas.agent_file import AgentFile
from streams.execute.tool import Tool, ToolContext, tool


class Nothing(BaseModel):
    """No arguments."""


@tool(effect="pure", time_limit_s=30)
async def look(_arguments: Nothing, _context: ToolContext) -> None:
    """Look."""


@tool(effect="once", approval="always", time_limit_s=400)
async def pay(_arguments: Nothing, _context: ToolContext) -> None:
    """Pay."""


TOOLS: dict[str, Tool] = {"look": look, "pay": pay}


def found(**fields: object) -> list[tuple[str, str]]:
    agent = AgentFile.model_validate({"id": "one", **fields})
    known = {"rehearsal", "openai/gpt"}
    problems = problems_of(agent, TOOLS, lambda name: None if name in known else f"no {name}")
    return [(problem.field, problem.message) for problem in problems]


def test_an_agent_that_fits_has_no_problems() -> None:
    assert found() == []
    assert found(tools=["look"], approvals={"look": "always"}, fallback_models=["openai/gpt"]) == []
    assert found(tools=["pay"], approvals={"pay": "always"}, tool_deadline_s=500) == []


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"tools": ["lok"]}, "tools", "there is no tool lok; did you mean look?"),
        ({"tools": ["weather"]}, "tools", "there are: look, pay"),
        ({"tools": ["look", "look"]}, "tools", "look is there 2 times"),
        ({"model": "gone"}, "model", "no gone"),
        ({"fallback_models": ["gone"]}, "fallback_models", "no gone"),
        ({"fallback_models": ["rehearsal"]}, "fallback_models", "rehearsal is there twice"),
        ({"tools": ["look"], "approvals": {"lok": "always"}}, "approvals", "did you mean look?"),
        ({"approvals": {"look": "never"}}, "approvals", "not among the agent's tools"),
        ({"tools": ["pay"], "tool_deadline_s": 400}, "approvals", "write `pay: always`"),
        (
            {"tools": ["pay"], "tool_deadline_s": 400, "approvals": {"pay": "never"}},
            "approvals",
            "never starts without an approval",
        ),
        (
            {"limits": {"tokens": 10}, "session_limits": {"tokens": 9}},
            "limits.tokens",
            "10 for one run is more than the 9",
        ),
        ({"tools": ["look"], "limits": {"generations": 1}}, "limits.generations", "needs 2 at least"),
        ({"limits": {"seconds": 60}, "tool_deadline_s": 61}, "tool_deadline_s", "longer than the whole run"),
        ({"tools": ["look"], "tool_deadline_s": 20}, "tool_deadline_s", "look may take 30 s"),
    ],
)
def test_a_problem_names_its_field_and_says_what_to_do(
    fields: dict[str, object], field: str, says: str
) -> None:
    ((named, message),) = found(**fields)
    assert named == field
    assert says in message


def test_all_problems_are_found_at_once() -> None:
    assert len(found(tools=["lok", "pay"], model="a", fallback_models=["b"], approvals={"x": "always"})) == 6


def test_a_limit_that_nobody_wrote_contradicts_nothing() -> None:
    assert found(session_limits={"generations": 4}) == []


def checked(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(check, arguments, catch_exceptions=False)
    return result.exit_code, result.stdout


def test_files_are_checked_with_the_tools_and_models_of_this_place(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("id: a\ntools: [sql_query, search_conversation]\n")
    bad.write_text("id: b\ntools: [sql_qery]\nmodel: rehearsal:dem\n---\nid: a\n")
    broken = tmp_path / "broken.yaml"
    broken.write_text("id: c\nmodell: x\n---\nid: d\nlimits: {generations: 0}\n")
    code, said = checked("--json", *map(str, (good, bad, broken, tmp_path / "gone.yaml")))
    rows = [json.loads(line) for line in said.splitlines()]
    assert code == 2
    assert [(row["agent"], row["ok"], len(row["problems"])) for row in rows] == [
        ("a", True, 0),
        ("b", False, 2),
        ("a", False, 1),
        (None, False, 2),
        (None, False, 1),
    ]
    for part in (
        "did you mean sql_query?",
        "did you mean demo?",
        "modell",
        "limits.generations",
        "gone.yaml",
    ):
        assert part in said


def test_a_tool_module_that_cannot_be_imported_is_one_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAESTRO_TOOL_MODULES", "module_that_is_not_there")
    (tmp_path / "a.yaml").write_text("id: a\ntools: [whatever]\n")
    code, said = checked("--json", str(tmp_path / "a.yaml"))
    rows = [json.loads(line) for line in said.splitlines()]
    assert code == 2
    assert [(row["agent"], len(row["problems"])) for row in rows] == [(None, 1), ("a", 0)]


def test_rehearsal_scripts_are_known_by_name() -> None:
    problem = model_problems(ModelSettings())
    assert problem("rehearsal") is None
    assert problem("rehearsal:demo") is None
    assert "there are: demo" in (problem("rehearsal:xyz") or "")


def test_behind_a_base_url_any_name_may_lead_somewhere() -> None:
    assert model_problems(ModelSettings(base_url="http://127.0.0.1:9"))("my-model") is None
