"""The compose file has every part, checks their health and names only settings that exist."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from maestro.settings import env_name
from maestro.settings_catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]
SERVICES = ("kafka", "postgres", "redis")
ONE_SHOT = ("migrate", "topics")
ROLES = {
    "session": ["worker", "session"],
    "generate": ["worker", "generate"],
    "execute": ["worker", "execute"],
    "sink": ["sink", "postgres"],
    "embeddings": ["sink", "embeddings"],
    "recents": ["sink", "recents"],
    "api": ["api"],
}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """The services by name."""
    return yaml.safe_load((ROOT / "docker-compose.kafka.yml").read_text())["services"]


def test_it_has_the_three_services_the_set_up_and_every_role(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == {*SERVICES, *ONE_SHOT, *ROLES}
    assert {name: services[name]["command"] for name in ROLES} == ROLES


@pytest.mark.parametrize("name", [*SERVICES, *ROLES])
def test_what_keeps_running_has_a_health_check(services: dict[str, dict[str, Any]], name: str) -> None:
    check = services[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert check["retries"] >= 3


@pytest.mark.parametrize("name", ROLES)
def test_a_role_waits_for_tables_topics_and_redis(services: dict[str, dict[str, Any]], name: str) -> None:
    assert services[name]["depends_on"] == {
        "migrate": {"condition": "service_completed_successfully"},
        "topics": {"condition": "service_completed_successfully"},
        "redis": {"condition": "service_healthy"},
    }


@pytest.mark.parametrize("name", [*ONE_SHOT, *ROLES])
def test_only_settings_that_exist_are_named(services: dict[str, dict[str, Any]], name: str) -> None:
    known = {env_name(model, field) for model in CATALOGUE.values() for field in model.model_fields}
    assert set(services[name]["environment"]) <= known


def test_the_api_starts_where_its_keys_are_given(services: dict[str, dict[str, Any]]) -> None:
    assert services["api"]["profiles"] == ["api"]
    settings = services["api"]["environment"]
    given = {name for name, value in settings.items() if name.startswith("MAESTRO_API_") and value is None}
    assert {"MAESTRO_API_JWT_SECRET", "MAESTRO_API_JWT_ISSUER", "MAESTRO_API_JWT_AUDIENCE"} <= given
    assert services["api"]["ports"] == ["127.0.0.1:8000:8000"]


def test_the_addresses_are_those_of_the_services(services: dict[str, dict[str, Any]]) -> None:
    settings = services["session"]["environment"]
    assert settings["KAFKA_BOOTSTRAP_SERVERS"] == "kafka:9092"
    assert "PLAINTEXT://kafka:9092" in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert settings["DATABASE_URL"].endswith("@postgres:5432/maestro")
    assert settings["REDIS_URL"] == "redis://redis:6379/0"


def test_redis_evicts_nothing(services: dict[str, dict[str, Any]]) -> None:
    command = services["redis"]["command"]
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    assert command[command.index("--appendonly") + 1] == "yes"


def test_a_worker_may_finish_what_it_has_in_hand(services: dict[str, dict[str, Any]]) -> None:
    assert all(int(services[name]["stop_grace_period"].removesuffix("s")) > 30 for name in ROLES)


def test_the_image_runs_as_somebody_and_copies_every_package() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert "USER 10001" in lines
    copied = {line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line}
    assert {
        "maestro",
        "api",
        "streams",
        "sinks",
        "bus",
        "stores",
        "llm",
        "schemas",
        "telemetry",
        "bench",
    } <= copied
    assert any(line.startswith("HEALTHCHECK") for line in lines)
