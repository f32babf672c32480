"""An agent's configuration, and the YAML file that people write it in."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticSerializationError

from schemas.errors import ErrorCode, PoisonError
from schemas.fields import Name, Text
from schemas.lists import AgentStatus, BusyPolicy
from schemas.records import Agent

MAX_CONFIGURATION_BYTES = 65_536
"""Largest configuration, as JSON: each run carries a copy."""


class Planning(StrEnum):
    """Whether a run thinks before it acts."""

    NONE = "none"
    INLINE = "inline"
    EXPLICIT = "explicit"


class Reflection(StrEnum):
    """Whether a run looks back at what it did."""

    NONE = "none"
    ON_ERROR = "on_error"
    EACH = "each"
    FINAL = "final"


class Approval(StrEnum):
    """Whether a person is asked before a tool starts."""

    NEVER = "never"
    ALWAYS = "always"


Count = Annotated[int, Field(ge=1, le=2**53)]
"""A number that JSON can say exactly, everywhere."""

MOST_SECONDS = 315_360_000
"""Ten years: a moment that far away is a date, and Redis can wait for it."""

Seconds = Annotated[int, Field(ge=1, le=MOST_SECONDS)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Part):
    """Budgets of one run: model calls, tokens, US dollars, seconds. Null means no limit of that kind."""

    generations: Count | None = 16
    tokens: Count | None = None
    cost: Annotated[float, Field(gt=0)] | None = None
    seconds: Seconds | None = 900


class SessionLimits(_Part):
    """Budgets of a session over all its runs; null means none. `seconds` are those that runs took."""

    generations: Count | None = None
    tokens: Count | None = None
    cost: Annotated[float, Field(gt=0)] | None = None
    seconds: Seconds | None = None


class AgentConfiguration(_Part):
    """Everything that decides how an agent answers. `run_started` keeps a copy, so it can be replayed."""

    system_prompt: Text = "You are a helpful assistant."
    model: Name = "rehearsal"
    fallback_models: tuple[Name, ...] = ()
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_output_tokens: Count | None = None
    tools: tuple[Name, ...] = ()
    planning: Planning = Planning.INLINE
    reflection: Reflection = Reflection.NONE
    on_busy: BusyPolicy = BusyPolicy.ENQUEUE
    ttl_seconds: Seconds | None = None
    generation_deadline_s: Seconds = 300
    tool_deadline_s: Seconds = 300
    limits: Limits = Limits()
    session_limits: SessionLimits = SessionLimits()
    last_answer: bool = False
    """When a budget is used up: whether the model is asked once more, without tools."""
    approvals: Mapping[Name, Approval] = Field(default_factory=dict)
    """Tools that need a person's word before they start."""
    approval_limit_s: Seconds = 86_400
    """How long a person is waited for; then the call counts as denied."""


class AgentFile(AgentConfiguration):
    """One YAML document: who the agent is, and its configuration."""

    id: Name
    name: Name | None = None
    type: Name = "assistant"
    status: AgentStatus = AgentStatus.ACTIVE

    def configuration(self) -> AgentConfiguration:
        """Return the part that travels with each run."""
        return AgentConfiguration.model_validate(self.model_dump(exclude={"id", "name", "type", "status"}))

    def record(self, *, user_id: str | None, now: datetime) -> Agent:
        """Return the topic record of this agent, owned by `user_id` (None: built in)."""
        return Agent(
            id=self.id,
            name=self.name or self.id,
            type=self.type,
            configuration=self.configuration().model_dump_json(),
            status=self.status,
            user_id=user_id,
            created_at=now,
            updated_at=now,
        )


def configuration_of(agent: Agent) -> AgentConfiguration:
    """Return the configuration that `agent` carries.

    Raises:
        PoisonError: the JSON does not fit; the message names each field.

    """
    try:
        return AgentConfiguration.model_validate_json(agent.configuration)
    except ValidationError as error:
        message = f"agent {agent.id}: {_fields_of(error)}"
        raise PoisonError(message, code=ErrorCode.INVALID) from error


def parse_agents(text: str, *, source: str) -> tuple[AgentFile, ...]:
    """Return the agents of a YAML text: one or more documents, each an agent.

    Raises:
        PoisonError: not YAML, or fields that do not fit; the message names `source` and each field, with a
            line for each agent.

    """
    try:
        documents: list[Any] = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        message = f"{source} is not YAML: {error}"
        raise PoisonError(message) from error
    except RecursionError as error:
        message = f"{source} cannot be read: it is nested too deep"
        raise PoisonError(message) from error
    agents: list[AgentFile] = []
    problems: list[str] = []
    for number, document in enumerate(documents, 1):
        try:
            agent = AgentFile.model_validate(document)
            _ = agent.model_dump_json()
        except ValidationError as error:
            problems.append(f"{source}, agent {number}: {_fields_of(error)}")
        except PydanticSerializationError:
            # YAML's escapes can write half of a surrogate pair, which has no UTF-8.
            problems.append(f"{source}, agent {number}: a text has a character that UTF-8 cannot write")
        else:
            agents.append(agent)
    if problems:
        raise PoisonError("\n".join(problems))
    return tuple(agents)


def _fields_of(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'the document'}: {problem['msg']}"
        for problem in error.errors()
    )
