"""What is wrong with an agent beyond its form: names that lead nowhere, limits that contradict. Pure."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from schemas.agent_file import AgentFile, Approval
from streams.execute.tool import Tool

ModelProblem = Callable[[str], str | None]
"""A model's name to what is wrong with it; None: nothing."""
_LEAST_WITH_TOOLS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A sentence about one field of an agent's file."""

    field: str
    message: str


def problems_of(
    agent: AgentFile, tools: Mapping[str, Tool] | None, model_problem: ModelProblem
) -> tuple[Problem, ...]:
    """Return all that is wrong with `agent`, where these tools and models are known (None: tools are not)."""
    known = tools is not None
    tools = tools or {}
    return (
        *_models(agent, model_problem),
        *(_tools(agent, tools) if known else ()),
        *_approvals(agent, tools),
        *_limits(agent),
        *_times(agent, tools),
    )


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` where a known name is like `name`, else nothing."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _models(agent: AgentFile, model_problem: ModelProblem) -> Iterator[Problem]:
    named = [("model", agent.model), *(("fallback_models", name) for name in agent.fallback_models)]
    for field, name in named:
        message = model_problem(name)
        if message is not None:
            yield Problem(field=field, message=message)
    names = [name for _, name in named]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Problem(
            field="fallback_models", message=f"{name} is there twice: falling back to it is no help"
        )


def _tools(agent: AgentFile, tools: Mapping[str, Tool]) -> Iterator[Problem]:
    for name in sorted(set(agent.tools)):
        if name not in tools:
            known = ", ".join(sorted(tools))
            hint = suggestion(name, tools) or f"; there are: {known}"
            yield Problem(field="tools", message=f"there is no tool {name}{hint}")
        if agent.tools.count(name) > 1:
            yield Problem(field="tools", message=f"{name} is there {agent.tools.count(name)} times")


def _approvals(agent: AgentFile, tools: Mapping[str, Tool]) -> Iterator[Problem]:
    for name in sorted(agent.approvals):
        if name not in agent.tools:
            message = f"{name} is not among the agent's tools{suggestion(name, agent.tools)}"
            yield Problem(field="approvals", message=message)
    for name in sorted(set(agent.tools)):
        tool = tools.get(name)
        asks = agent.approvals.get(name) is Approval.ALWAYS
        if tool is not None and tool.approval is Approval.ALWAYS and not asks:
            message = f"{name} never starts without an approval; write `{name}: always`"
            yield Problem(field="approvals", message=message)


def _limits(agent: AgentFile) -> Iterator[Problem]:
    for field in sorted(agent.limits.model_fields_set):
        one, all_runs = getattr(agent.limits, field), getattr(agent.session_limits, field)
        if one is not None and all_runs is not None and one > all_runs:
            message = f"{one} for one run is more than the {all_runs} of the whole session (session_limits)"
            yield Problem(field=f"limits.{field}", message=message)
    generations = agent.limits.generations
    if agent.tools and generations is not None and generations < _LEAST_WITH_TOOLS and not agent.last_answer:
        message = "an agent with tools needs 2 at least: one to ask for the tool, one to answer"
        yield Problem(field="limits.generations", message=message)


def _times(agent: AgentFile, tools: Mapping[str, Tool]) -> Iterator[Problem]:
    seconds = agent.limits.seconds
    for field in ("generation_deadline_s", "tool_deadline_s"):
        limit_s = getattr(agent, field)
        if field in agent.model_fields_set and seconds is not None and limit_s > seconds:
            message = f"{limit_s} s is longer than the whole run may take (limits.seconds is {seconds})"
            yield Problem(field=field, message=message)
    for name in sorted(set(agent.tools)):
        tool = tools.get(name)
        if tool is not None and tool.time_limit_s > agent.tool_deadline_s:
            message = (
                f"{name} may take {tool.time_limit_s:g} s, and the run fails after {agent.tool_deadline_s} s"
            )
            yield Problem(field="tool_deadline_s", message=message)
