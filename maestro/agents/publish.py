"""Makes the built-in agents known on their topic: those missing, and those that a release changed."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from llm.settings import ModelSettings
from maestro.agents import built_in_records
from maestro.clients import KafkaAccess
from maestro.settings import load
from schemas.records import Agent
from telemetry.tracing import derived

_NOTHING: Mapping[str, str] = MappingProxyType({})


def fingerprint(agent: Agent) -> str:
    """Return what tells one version of an agent from another: all of it but its times."""
    text = agent.model_dump_json(exclude={"created_at", "updated_at"})
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprints(agents: Iterable[Agent]) -> dict[str, str]:
    """Return the fingerprint of each agent by its id."""
    return {agent.id: fingerprint(agent) for agent in agents}


def to_publish(
    wanted: Iterable[Agent], known: Iterable[str], published: Mapping[str, str]
) -> tuple[Agent, ...]:
    """Return those whose id nobody knows, and those that differ from what was published last time. Pure."""
    ids = frozenset(known)
    return tuple(
        agent
        for agent in wanted
        if agent.id not in ids or published.get(agent.id) not in {None, fingerprint(agent)}
    )


def built_in_now() -> tuple[Agent, ...]:
    """Return the records of the built-in agents, with the model that the settings name for them.

    Raises:
        SettingsError: the environment does not fit.

    """
    (models,) = load(ModelSettings)
    return built_in_records(models.default, now=datetime.now(UTC))


async def publish_agents(
    access: KafkaAccess, wanted: Iterable[Agent], published: Mapping[str, str] = _NOTHING
) -> tuple[Agent, ...]:
    """Publish what is new of `wanted`; return it.

    `published` has the fingerprints of what was published last time, where somebody keeps them: an agent that
    a person changed since stays as it is. Without them every known agent does.

    Raises:
        TransientError: Kafka cannot be reached, or a topic is missing.
        FatalError: Kafka refuses us.

    """
    async with access.agents() as table:
        known = [agent.id for agent in table.all()]
    fresh = to_publish(wanted, known, published)
    if fresh:
        async with access.publisher() as publisher:
            for agent in fresh:
                _ = await publisher.publish(agent, trace=derived(f"{agent.id} {agent.updated_at}"))
    return fresh
