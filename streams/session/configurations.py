"""Agents' configurations as the core carries them: canonical JSON text, read once per text."""

from functools import lru_cache

import orjson

from schemas.agent_file import AgentConfiguration, configuration_of
from schemas.records import Agent


@lru_cache(maxsize=512)
def read_configuration(text: str) -> AgentConfiguration:
    """Return the configuration that `text`, written by `canonical_configuration`, holds."""
    return AgentConfiguration.model_validate_json(text)


def canonical_configuration(agent: Agent) -> str:
    """Return the whole configuration of `agent`, defaults included, as JSON with sorted keys.

    Raises:
        PoisonError: the agent's configuration does not fit; the message names each field.

    """
    return _canonical(agent)


@lru_cache(maxsize=512)
def _canonical(agent: Agent) -> str:
    whole = configuration_of(agent).model_dump(mode="json")
    return orjson.dumps(whole, option=orjson.OPT_SORT_KEYS).decode()
