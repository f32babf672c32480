"""Agents in memory."""

# ruff: noqa: D101

from datetime import UTC, datetime

from schemas.agent_file import AgentConfiguration
from schemas.records import Agent

BORN = datetime(2026, 1, 1, tzinfo=UTC)


def agent(agent_id: str, *, user_id: str | None = None, **configuration: object) -> Agent:
    """An agent; the configuration's fields by name."""
    return Agent(
        id=agent_id,
        name=agent_id,
        configuration=AgentConfiguration.model_validate(configuration).model_dump_json(),
        user_id=user_id,
        created_at=BORN,
        updated_at=BORN,
    )


class FakeAgents:
    def __init__(self, *agents: Agent) -> None:
        self._agents = {one.id: one for one in agents}

    async def get(self, agent_id: str) -> Agent | None:
        return self._agents.get(agent_id)
