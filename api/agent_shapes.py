"""What agents look like over HTTP, and the records that requests about them become. Pure."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue

from api.pages import Pagination
from api.shapes import Asked, Shape, json_of
from schemas.agent_file import MAX_CONFIGURATION_BYTES, AgentConfiguration, configuration_of
from schemas.errors import ErrorCode, PoisonError
from schemas.fields import Name
from schemas.lists import AgentStatus
from schemas.records import Agent

BUILT_IN = "built-in"
"""Type of the agents that come with Maestro: a release replaces them, so nobody else's may have it."""

Standing = Literal["active", "inactive", "retired"]


def _free(kind: str) -> str:
    if kind == BUILT_IN:
        message = f"{BUILT_IN} is the type of Maestro's own agents; name another one"
        raise ValueError(message)
    return kind


AgentType = Annotated[
    Name,
    AfterValidator(_free),
    Field(
        description=f"Kind of agent, in your words; `{BUILT_IN}` is taken.",
        examples=["assistant"],
        json_schema_extra={"not": {"const": BUILT_IN}},
    ),
]
AgentName = Annotated[Name, Field(description="What people call it.", examples=["Bookkeeper"])]
Configuration = Annotated[
    AgentConfiguration,
    Field(
        description="How it answers: the keys of an agent file; what is left out has its default.",
        examples=[{"system_prompt": "You keep the books.", "tools": ["sql_query"]}],
    ),
]


class NewAgent(Asked):
    """An agent to be made; its id is made here."""

    name: AgentName
    type: AgentType = "assistant"
    status: Literal["active", "inactive"] = "active"
    configuration: Configuration = AgentConfiguration()


class AgentChange(Asked):
    """What shall change of an agent; what is left out stays. A configuration is replaced whole."""

    name: AgentName | None = None
    type: AgentType | None = None
    status: Standing | None = Field(
        default=None,
        description="`inactive` and `retired` agents take no new runs; `active` brings one back.",
    )
    configuration: Configuration | None = None


class AgentDetail(Shape):
    """An agent as it stands."""

    id: str = Field(examples=["assistant"])
    name: str = Field(examples=["Assistant"])
    type: str = Field(examples=["assistant"])
    status: AgentStatus
    configuration: JsonValue = Field(description="JSON object: the keys of an agent file.")
    user_id: str | None = Field(description="Its owner: you; null when it is built in.", examples=["alice"])
    session_id: str | None = Field(description="Session that it is bound to; null when it serves all.")
    built_in: bool = Field(description="Whether it is free for all, and nobody changes it here.")
    created_at: datetime
    updated_at: datetime


class AgentList(Shape):
    """A page of the agents that you may use, by id."""

    agents: tuple[AgentDetail, ...]
    pagination: Pagination


def may_see(agent: Agent, user_id: str) -> bool:
    """Return whether the agent is the user's own, or built in."""
    return agent.user_id is None or agent.user_id == user_id


def agent_detail(agent: Agent) -> AgentDetail:
    """Return an agent as it stands, with the defaults of its configuration, where that fits."""
    return AgentDetail(
        id=agent.id,
        name=agent.name,
        type=agent.type,
        status=agent.status,
        configuration=_configuration(agent),
        user_id=agent.user_id,
        session_id=None if agent.user_id is None else agent.session_id,
        built_in=agent.user_id is None,
        created_at=agent.created_at,
        updated_at=agent.updated_at,
    )


def _configuration(agent: Agent) -> Any:
    try:
        return configuration_of(agent).model_dump(mode="json")
    except PoisonError:
        return json_of(agent.configuration)


def new_agent(asked: NewAgent, *, identity: str, user_id: str, now: datetime) -> Agent:
    """Return the record of an agent to be made.

    Raises:
        PoisonError: its configuration is too large.

    """
    return Agent(
        id=identity,
        name=asked.name,
        type=asked.type,
        configuration=_written(asked.configuration),
        status=AgentStatus(asked.status),
        user_id=user_id,
        created_at=now,
        updated_at=now,
    )


def changed_agent(agent: Agent, asked: AgentChange, *, now: datetime) -> Agent:
    """Return the record of an agent after a change.

    Raises:
        PoisonError: its configuration is too large.

    """
    configuration = agent.configuration if asked.configuration is None else _written(asked.configuration)
    return Agent(
        id=agent.id,
        name=asked.name or agent.name,
        type=asked.type or agent.type,
        configuration=configuration,
        status=agent.status if asked.status is None else AgentStatus(asked.status),
        user_id=agent.user_id,
        session_id=agent.session_id,
        created_at=agent.created_at,
        updated_at=max(now, agent.updated_at),
    )


def _written(configuration: AgentConfiguration) -> str:
    text = configuration.model_dump_json()
    size = len(text.encode())
    if size > MAX_CONFIGURATION_BYTES:
        message = (
            f"the configuration has {size} bytes as JSON, and a run carries at most"
            f" {MAX_CONFIGURATION_BYTES}: shorten the system prompt"
        )
        raise PoisonError(message, code=ErrorCode.TOO_LARGE)
    return text
