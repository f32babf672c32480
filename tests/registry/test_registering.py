"""`maestro topics --register` on a real registry, and what that registry refuses afterwards."""

import copy
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bus.names import TopicNames
from bus.registration import missing_from, register_all
from bus.registry import FULL_TRANSITIVE, Registry
from bus.settings import SchemaSettings
from maestro.embedded.stack import EmbeddedStack
from schemas.avro_names import is_same
from schemas.avro_schema import schema_of
from schemas.errors import PoisonError
from schemas.records import UserMessage
from schemas.topics import ALL_TOPICS, USER_MESSAGES

MAESTRO = Path(sys.executable).with_name("maestro")
SUBJECTS = len([spec for spec in ALL_TOPICS if spec.record is not None])

Change = Callable[[dict[str, Any]], None]


def a_new_required_field(schema: dict[str, Any]) -> None:
    schema["fields"].append({"name": "mood", "type": "string"})


def a_missing_field(schema: dict[str, Any]) -> None:
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "content"]


def another_type(schema: dict[str, Any]) -> None:
    next(field for field in schema["fields"] if field["name"] == "content")["type"] = "long"


@pytest.mark.timeout(180)
def test_the_command_registers_every_topic_and_says_what_it_did(
    stack: EmbeddedStack, registry_url: str
) -> None:
    prefix = f"r{uuid.uuid4().hex[:8]}."
    env = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": stack.urls.kafka_bootstrap,
        "DATABASE_URL": stack.urls.database_url,
        "REDIS_URL": stack.urls.redis_url,
        "SCHEMA_REGISTRY_URL": registry_url,
        "MAESTRO_TOPIC_PREFIX": prefix,
        "MAESTRO_TOPIC_PARTITIONS": "1",
    }

    def topics(*options: str) -> tuple[int, dict[str, Any]]:
        done = subprocess.run(
            [str(MAESTRO), "topics", "--json", *options],
            env=env,
            capture_output=True,
            text=True,
            timeout=80,
            check=False,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    code, before = topics()
    assert code == 1
    assert len([problem for problem in before["problems"] if "--register" in problem]) == SUBJECTS

    code, first = topics("--register")
    assert (code, first["problems"]) == (0, [])
    assert len(first["schemas"]) == SUBJECTS
    assert all(each["is_new"] and each["compatibility_was"] for each in first["schemas"])

    code, second = topics("--register")
    assert (code, second["problems"]) == (0, [])
    assert [each["id"] for each in second["schemas"]] == [each["id"] for each in first["schemas"]]
    assert not any(each["is_new"] or each["compatibility_was"] for each in second["schemas"])
    for subject in (each["subject"] for each in second["schemas"]):
        level = httpx.get(f"{registry_url}/config/{subject}").json()["compatibilityLevel"]
        assert level == FULL_TRANSITIVE

    code, after = topics("--check")
    assert (code, after["problems"]) == (0, [])


@pytest.mark.parametrize("change", [a_new_required_field, a_missing_field, another_type])
async def test_a_breaking_schema_is_refused(schema_settings: SchemaSettings, change: Change) -> None:
    names = TopicNames(f"r{uuid.uuid4().hex[:8]}.")
    async with Registry(schema_settings, names) as registry:
        _ = await register_all(registry)
        broken = copy.deepcopy(schema_of(UserMessage))
        change(broken)
        with pytest.raises(PoisonError, match="refuses the schema"):
            _ = await registry.register(USER_MESSAGES, broken)
        async with httpx.AsyncClient() as client:
            answer = await client.post(
                f"{schema_settings.url}/subjects/{registry.subject(USER_MESSAGES)}/versions",
                json={"schema": json.dumps(broken)},
            )
        assert answer.status_code == httpx.codes.CONFLICT
        assert await missing_from(registry) == ()


async def test_a_new_field_with_a_default_is_taken(schema_settings: SchemaSettings) -> None:
    names = TopicNames(f"r{uuid.uuid4().hex[:8]}.")
    async with Registry(schema_settings, names) as registry:
        _ = await register_all(registry)
        newer = copy.deepcopy(schema_of(UserMessage))
        newer["fields"].append({"name": "mood", "type": ["null", "string"], "default": None})
        number = await registry.register(USER_MESSAGES, newer)
        found = await registry.schema(USER_MESSAGES, number)
        assert found is not None
        assert is_same(found.schema, newer)
