"""A real registry, and a fleet that takes its schema ids from it."""

from collections.abc import AsyncIterator

import pytest

from bus.settings import SchemaSettings
from maestro.embedded.stack import EmbeddedStack
from tests.fleet.fleet import Fleet, running_fleet
from tests.fleet.whole_life import SCRIPTS
from tests.registry.apicurio import fetch, running_apicurio

PARTITIONS = 3


@pytest.fixture(scope="session")
async def registry_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The Confluent-compatible interface of an empty Apicurio."""
    log = tmp_path_factory.mktemp("apicurio") / "log"
    async with running_apicurio(fetch(), log) as url:
        yield url


@pytest.fixture
def schema_settings(registry_url: str) -> SchemaSettings:
    """The settings of programs that use it."""
    return SchemaSettings.model_validate({"url": registry_url})


@pytest.fixture(scope="session")
async def fleet(
    stack: EmbeddedStack, registry_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Fleet]:
    """One process of each role, writing with the registry's ids."""
    async with running_fleet(
        stack,
        tmp_path_factory.mktemp("registry-fleet"),
        partitions=PARTITIONS,
        registry_url=registry_url,
        extra_env={"MAESTRO_MODEL_REHEARSAL_SCRIPTS": str(SCRIPTS)},
    ) as running:
        yield running
