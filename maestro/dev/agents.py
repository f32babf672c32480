"""Publishes the built-in agents, and those that a new release changed: the data folder says what was last."""

import json
from pathlib import Path
from typing import Final

from maestro.agents.publish import built_in_now, fingerprints, publish_agents
from maestro.clients import KafkaAccess

FINGERPRINTS: Final = "agents.json"
"""In the data folder: what was published last. An agent that a person changed since stays as it is."""


async def bring_up_to_date(root: Path, access: KafkaAccess) -> int:
    """Publish what is new; return how many agents that were.

    Raises:
        TransientError: Kafka cannot be reached, or a topic is missing.
        FatalError: Kafka refuses us.

    """
    wanted = built_in_now()
    fresh = await publish_agents(access, wanted, _read(root / FINGERPRINTS))
    (root / FINGERPRINTS).write_text(json.dumps(fingerprints(wanted)))
    return len(fresh)


def _read(path: Path) -> dict[str, str]:
    try:
        return {str(key): str(value) for key, value in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}
