"""Agents' configurations as the core carries them: canonical JSON text, read once per text."""

from functools import lru_cache

import orjson
from pydantic import ValidationError

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
    try:
        return _canonical(agent.configuration)
    except ValidationError:
        return configuration_of(agent).model_dump_json()  # raises, with each field named


@lru_cache(maxsize=512)
def _canonical(text: str) -> str:
    whole = AgentConfiguration.model_validate_json(text).model_dump(mode="json")
    return orjson.dumps(whole, option=orjson.OPT_SORT_KEYS).decode()
