"""The built-in agents: free for every user, kept as YAML beside this file."""

from datetime import datetime
from pathlib import Path

from llm.rehearsal import NAME as REHEARSAL
from schemas.agent_file import AgentFile, parse_agents
from schemas.records import Agent

BUILT_IN = "built-in"
"""Type of these agents, and of no other: it tells which agents a new release may replace."""

_FOLDER = Path(__file__).parent


def built_in_agents(default_model: str = REHEARSAL) -> tuple[AgentFile, ...]:
    """Return the built-in agents, sorted by id, with `default_model` where their files say `rehearsal`.

    Raises:
        PoisonError: a file does not fit.

    """
    agents = [
        agent
        for path in sorted(_FOLDER.glob("*.yaml"))
        for agent in parse_agents(path.read_text(encoding="utf-8"), source=path.name)
    ]
    return tuple(
        agent.model_copy(update={"model": default_model}) if agent.model == REHEARSAL else agent
        for agent in sorted(agents, key=lambda agent: agent.id)
    )


def built_in_records(default_model: str, *, now: datetime) -> tuple[Agent, ...]:
    """Return the records that make the built-in agents known on their topic."""
    return tuple(agent.record(user_id=None, now=now) for agent in built_in_agents(default_model))
