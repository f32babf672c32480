"""`maestro agents check`: whether agent files fit the tools and models of this place."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from maestro.agents.check import ModelProblem, Problem, problems_of
from maestro.cli.output import EXIT_USAGE, json_option, out, print_json
from schemas.agent_file import AgentFile, parse_agents
from schemas.errors import FatalError, PoisonError
from streams.execute.tool import Tool


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@json_option
def check(*, files: tuple[Path, ...], as_json: bool) -> None:
    """Say everything that is wrong with the agents of YAML FILES; exit code 2 when something is.

    Tools are those that this place knows: the built-in ones and those of MAESTRO_TOOL_MODULES.
    """
    rows = [row for row in _checked(files) if row["problems"] or row["agent"]]
    if as_json:
        for row in rows:
            print_json(row)
    else:
        _tell(rows)
    raise SystemExit(EXIT_USAGE if any(row["problems"] for row in rows) else 0)


def _checked(files: Iterable[Path]) -> Iterable[dict[str, Any]]:
    tools, model_problem, trouble = _known()
    if trouble:
        yield _row(None, None, trouble)
    seen: dict[str, Path] = {}
    for file in files:
        agents, problems = _agents_of(file)
        if problems:
            yield _row(file, None, problems)
        for agent in agents:
            found = list(problems_of(agent, tools, model_problem))
            if agent.id in seen:
                message = f"{agent.id} is also in {seen[agent.id]}; one would replace the other"
                found.insert(0, Problem(field="id", message=message))
            seen.setdefault(agent.id, file)
            yield _row(file, agent.id, found)


def _known() -> tuple[Mapping[str, Tool] | None, ModelProblem, list[Problem]]:
    from llm.known_models import model_problems  # noqa: PLC0415  (slow imports, only where they are needed)
    from llm.settings import ModelSettings  # noqa: PLC0415
    from maestro.settings import SettingsError, load  # noqa: PLC0415
    from maestro.wiring.tools import build_registry  # noqa: PLC0415
    from streams.execute.settings import HttpToolSettings, SqlSettings, ToolSettings  # noqa: PLC0415

    _ = load(ModelSettings, ToolSettings, SqlSettings, HttpToolSettings)
    (models,) = load(ModelSettings)
    trouble: list[Problem] = []
    tools: Mapping[str, Tool] | None = None
    model_problem: ModelProblem = lambda _name: None  # noqa: E731
    try:
        tools = build_registry().tools
    except SettingsError:
        raise
    except FatalError as error:
        trouble.append(Problem(field="tools", message=error.message))
    try:
        model_problem = model_problems(models)
    except FatalError as error:
        trouble.append(Problem(field="model", message=error.message))
    return tools, model_problem, trouble


def _agents_of(file: Path) -> tuple[tuple[AgentFile, ...], list[Problem]]:
    try:
        agents = parse_agents(file.read_text(encoding="utf-8"), source=str(file))
    except PoisonError as error:
        return (), [Problem(field="", message=line) for line in error.message.splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        return (), [Problem(field="", message=f"{file} cannot be read: {error}")]
    return agents, [] if agents else [Problem(field="", message=f"{file} holds no agent")]


def _row(file: Path | None, agent: str | None, problems: Iterable[Problem]) -> dict[str, Any]:
    found = [{"field": problem.field, "message": problem.message} for problem in problems]
    return {
        "file": None if file is None else str(file),
        "agent": agent,
        "ok": not found,
        "problems": found,
    }


def _tell(rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        place = ": ".join(part for part in (row["file"], row["agent"]) if part) or "this place"
        if row["ok"]:
            out.print(f"{place}: fits", markup=False)
        for problem in row["problems"]:
            field = f"{problem['field']}: " if problem["field"] else ""
            out.print(f"{place}: {field}{problem['message']}", markup=False)
