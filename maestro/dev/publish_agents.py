"""Makes the built-in agents known: those missing on their topic, and those that a new release changed."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from llm.settings import ModelSettings
from maestro.agents import built_in_records
from maestro.clients import KafkaAccess
from maestro.settings import load
from schemas.records import Agent
from telemetry.tracing import derived

FINGERPRINTS: Final = "agents.json"
"""In the data folder: what was published last. An agent that a person changed since stays as it is."""


def fingerprint(agent: Agent) -> str:
    """Return what tells one version of an agent from another: all of it but its times."""
    text = agent.model_dump_json(exclude={"created_at", "updated_at"})
    return hashlib.sha256(text.encode()).hexdigest()


def to_publish(
    wanted: Iterable[Agent], known: Mapping[str, Agent | None], published: Mapping[str, str]
) -> tuple[Agent, ...]:
    """Return those that nobody knows, and those that differ from what was published last time. Pure."""
    return tuple(
        agent
        for agent in wanted
        if known[agent.id] is None or published.get(agent.id) not in {None, fingerprint(agent)}
    )


async def publish_agents(root: Path, access: KafkaAccess) -> int:
    """Publish what is new; return how many agents that were.

    Raises:
        TransientError: Kafka cannot be reached, or a topic is missing.
        FatalError: Kafka refuses us.

    """
    (models,) = load(ModelSettings)
    wanted = built_in_records(models.default, now=datetime.now(UTC))
    async with access.agents() as table:
        known = {agent.id: await table.get(agent.id) for agent in wanted}
    fresh = to_publish(wanted, known, _read(root / FINGERPRINTS))
    if fresh:
        async with access.publisher() as publisher:
            for agent in fresh:
                _ = await publisher.publish(agent, trace=derived(f"{agent.id} {agent.updated_at}"))
    (root / FINGERPRINTS).write_text(json.dumps({agent.id: fingerprint(agent) for agent in wanted}))
    return len(fresh)


def _read(path: Path) -> dict[str, str]:
    try:
        return {str(key): str(value) for key, value in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}
