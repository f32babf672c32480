"""Makes the built-in agents known on their topic: missing ones, and those that a release changed."""

from collections.abc import Iterable
from datetime import UTC, datetime

from llm.settings import ModelSettings
from maestro.agents import BUILT_IN, built_in_records
from maestro.clients import KafkaAccess
from maestro.settings import load
from schemas.records import Agent
from telemetry.tracing import derived

_TIMES = {"created_at", "updated_at"}


def to_publish(wanted: Iterable[Agent], known: Iterable[Agent]) -> tuple[Agent, ...]:
    """Return those that nobody knows, and those that are known as built-in but in another form. Pure.

    An agent that a person put in the place of a built-in one is not of the built-in type: it stays as it is.
    """
    by_id = {agent.id: agent for agent in known}
    return tuple(agent for agent in wanted if _is_outdated(agent, by_id.get(agent.id)))


def _is_outdated(agent: Agent, known: Agent | None) -> bool:
    if known is None:
        return True
    is_ours = known.type == BUILT_IN and known.user_id is None
    return is_ours and known.model_dump(exclude=_TIMES) != agent.model_dump(exclude=_TIMES)


def built_in_now() -> tuple[Agent, ...]:
    """Return the records of the built-in agents, with the model that the settings name for them.

    Raises:
        SettingsError: the environment does not fit.

    """
    (models,) = load(ModelSettings)
    return built_in_records(models.default, now=datetime.now(UTC))


async def publish_agents(access: KafkaAccess, wanted: Iterable[Agent]) -> tuple[Agent, ...]:
    """Publish what is new of `wanted`; return it.

    Raises:
        TransientError: Kafka cannot be reached, or a topic is missing.
        FatalError: Kafka refuses us.

    """
    async with access.agents() as table:
        known = {agent.id: agent for agent in table.all()}
    fresh = tuple(
        # An upgrade is no birth.
        agent.model_copy(update={"created_at": known[agent.id].created_at}) if agent.id in known else agent
        for agent in to_publish(wanted, known.values())
    )
    if fresh:
        async with access.publisher() as publisher:
            for agent in fresh:
                _ = await publisher.publish(agent, trace=derived(f"{agent.id} {agent.updated_at}"))
    return fresh
