"""Starts all roles as real processes on the shared services, under a prefix and database of their own."""

import os
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from bus.admin import Admin
from bus.codec import Codec
from bus.names import TopicNames
from bus.publisher import Publisher
from bus.registration import register_all
from bus.registry import Registry
from bus.schema_source import open_codec
from bus.settings import KafkaSettings, SchemaSettings, TopicSettings
from maestro.embedded.folder import DataFolder
from maestro.embedded.keeper import RoleSpec
from maestro.embedded.stack import EmbeddedStack
from maestro.embedded.supervisor import Supervisor
from schemas.agent_file import AgentFile
from schemas.records import Record
from stores.postgres.migrate import migrate
from stores.postgres.pool import Database
from stores.postgres.settings import PostgresSettings
from stores.redis.settings import RedisSettings
from telemetry.tracing import Trace, derived

READY_LIMIT_S = 90.0
ROLES = ("session", "generate", "execute", "sink")
_ARGUMENTS = {
    "session": ("worker", "session"),
    "generate": ("worker", "generate"),
    "execute": ("worker", "execute"),
    "sink": ("sink", "postgres"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What processes of Maestro meet on: topics, a database and keys of their own. `env` leads them there."""

    env: Mapping[str, str]
    kafka: KafkaSettings
    topics: TopicSettings
    names: TopicNames
    codec: Codec
    redis: RedisSettings
    database: Database
    publisher: Publisher

    async def publish(self, record: Record, trace: Trace | None = None) -> None:
        """Publish one record as a producer would."""
        await self.publisher.publish(record, trace=trace or derived(uuid.uuid4().hex))

    async def apply(self, agent: AgentFile) -> None:
        """Publish an agent that everybody may use."""
        await self.publish(agent.record(user_id=None, now=datetime.now(UTC)))

    def admin(self) -> Admin:
        """Return a connection for administration, to be opened with `async with`."""
        return Admin(self.kafka, self.topics)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet(Ground):
    """A running Maestro; `supervisor` restarts what dies."""

    supervisor: Supervisor


@asynccontextmanager
async def running_fleet(
    stack: EmbeddedStack,
    folder: Path,
    *,
    workers: int = 1,
    partitions: int = 12,
    extra_env: Mapping[str, str] | None = None,
    registry_url: str | None = None,
) -> AsyncGenerator[Fleet]:
    """Run `workers` processes of every role until the context closes; with the ids of a registry if named."""
    async with prepared_ground(
        stack, partitions=partitions, extra_env=extra_env, registry_url=registry_url
    ) as ground:
        supervisor = Supervisor(
            [
                RoleSpec(name=f"{role}-{number}", arguments=_ARGUMENTS[role])
                for role in ROLES
                for number in range(1, workers + 1)
            ],
            folder=DataFolder(folder),
            env={**plain_environment(), **ground.env},
            stop_grace_s=20.0,
        )
        async with supervisor:
            await supervisor.wait_ready(READY_LIMIT_S)
            parts = {each.name: getattr(ground, each.name) for each in fields(ground)}
            yield Fleet(supervisor=supervisor, **parts)


@asynccontextmanager
async def prepared_ground(
    stack: EmbeddedStack,
    *,
    partitions: int = 12,
    extra_env: Mapping[str, str] | None = None,
    registry_url: str | None = None,
) -> AsyncGenerator[Ground]:
    """Make topics and a database on the shared services; no process of Maestro is started."""
    name = f"t{uuid.uuid4().hex[:8]}"
    url = await _database(stack, name)
    own = {
        "KAFKA_BOOTSTRAP_SERVERS": stack.urls.kafka_bootstrap,
        "DATABASE_URL": url,
        "REDIS_URL": stack.urls.redis_url,
        "MAESTRO_TOPIC_PREFIX": f"{name}.",
        "MAESTRO_TOPIC_PARTITIONS": str(partitions),
        "MAESTRO_REDIS_PREFIX": f"{name}:",
        **({"SCHEMA_REGISTRY_URL": registry_url} if registry_url else {}),
        **(extra_env or {}),
    }
    kafka = KafkaSettings(bootstrap_servers=stack.urls.kafka_bootstrap)
    topics = TopicSettings(prefix=f"{name}.", partitions=partitions)
    names = TopicNames(topics.prefix)
    codec = await _registered_codec(registry_url, names) if registry_url else Codec()
    await migrate(url)
    async with Admin(kafka, topics) as admin:
        await admin.create_topics()
    database = Database(PostgresSettings.model_validate({"database_url": url}))
    publisher = Publisher(kafka, names=names, codec=codec, source="test")
    await publisher.start()
    try:
        yield Ground(
            env=own,
            kafka=kafka,
            topics=topics,
            names=names,
            codec=codec,
            redis=RedisSettings.model_validate({"redis_url": stack.urls.redis_url, "prefix": f"{name}:"}),
            database=database,
            publisher=publisher,
        )
    finally:
        await publisher.stop()
        await database.stop()


async def _registered_codec(url: str, names: TopicNames) -> Codec:
    settings = SchemaSettings.model_validate({"url": url})
    async with Registry(settings, names) as registry:
        problems = [each.problem for each in await register_all(registry) if each.problem]
    assert not problems, problems
    return await open_codec(settings, names)


def plain_environment() -> dict[str, str]:
    """Return this process's environment without any setting of Maestro."""
    ours = ("MAESTRO_", "KAFKA_", "DATABASE_URL", "REDIS_URL", "SCHEMA_REGISTRY_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


async def _database(stack: EmbeddedStack, name: str) -> str:
    await stack.run_sql("postgres", f"CREATE DATABASE {name} OWNER maestro;")
    await stack.run_sql(name, "CREATE EXTENSION IF NOT EXISTS vector;")
    return stack.urls.database_url.rpartition("/")[0] + f"/{name}"
