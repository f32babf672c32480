"""Topics and offsets as an operator sees them: create, check, measure lag."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from bus.connection import client_options, translated
from bus.names import TopicNames
from bus.settings import KafkaSettings, TopicSettings
from schemas.errors import FatalError
from schemas.topics import ALL_TOPICS, MAX_MESSAGE_BYTES, TopicSpec

_ALREADY_EXISTS = 36
_SAFE_REPLICATION = 3
_LEADER_WAIT_S = 30.0
_CHECKED = ("message.timestamp.type", "max.message.bytes", "cleanup.policy")


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is in one partition. `committed` is None when it never committed there."""

    committed: int | None
    end: int

    @property
    def messages(self) -> int:
        """Messages not yet committed; all of them when nothing was."""
        return self.end - (self.committed or 0)


def config_of(spec: TopicSpec, settings: TopicSettings) -> dict[str, str]:
    """Return the configuration that Kafka shall hold for this topic."""
    config = {
        # The broker's time is the only clock that all sessions share.
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "cleanup.policy": "compact" if spec.is_compacted else "delete",
    }
    if spec.retention_ms is not None:
        config["retention.ms"] = str(spec.retention_ms)
    if settings.replication >= _SAFE_REPLICATION:
        config["min.insync.replicas"] = str(settings.replication - 1)
    return config


class Admin:
    """A connection for administration. Use as `async with`."""

    def __init__(self, kafka: KafkaSettings, topics: TopicSettings) -> None:
        self._kafka = kafka
        self._topics = topics
        self._names = TopicNames(topics.prefix)
        self._client: Any = None
        self._offsets: Any = None

    async def start(self) -> None:
        """Connect.

        Raises:
            TransientError: Kafka cannot be reached.
            FatalError: Kafka refuses us.

        """
        self._client = AIOKafkaAdminClient(**client_options(self._kafka))
        self._offsets = AIOKafkaConsumer(**client_options(self._kafka))
        try:
            await self._client.start()
            await self._offsets.start()
        except KafkaError as error:
            await self.stop()
            raise translated(error, doing="connecting to Kafka") from error

    async def stop(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        offsets, self._offsets = self._offsets, None
        if offsets is not None:
            await offsets.stop()
        if client is not None:
            await client.close()

    async def __aenter__(self) -> Self:
        """Connect."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self.stop()

    async def create_topics(self, specs: Iterable[TopicSpec] = ALL_TOPICS) -> tuple[str, ...]:
        """Create the missing topics and wait for their leaders; return the full names of the new ones.

        Existing topics are left as they are: see `check_topics`.

        Raises:
            FatalError: Kafka refuses a topic; the message says which and why.
            TransientError: Kafka does not answer.

        """
        wanted = [
            NewTopic(
                self._names.full(spec),
                self._topics.partitions,
                self._topics.replication,
                topic_configs=config_of(spec, self._topics),
            )
            for spec in specs
        ]
        try:
            response: Any = await self._client.create_topics(wanted)
        except KafkaError as error:
            raise translated(error, doing="creating topics") from error
        # Kafka puts errors into the answer: nothing is raised for them.
        refused = [
            f"{name}: {detail or for_code(code).__name__}"
            for name, code, detail in response.topic_errors
            if code not in {0, _ALREADY_EXISTS}
        ]
        if refused:
            message = f"Kafka refuses topics: {'; '.join(refused)}"
            raise FatalError(message)
        await self._wait_for_leaders([topic.name for topic in wanted])
        return tuple(name for name, code, _ in response.topic_errors if code == 0)

    async def check_topics(self, specs: Iterable[TopicSpec] = ALL_TOPICS) -> list[str]:
        """Return what is wrong with the topics, a sentence each; empty when all is well.

        Raises:
            TransientError: Kafka does not answer.
            FatalError: Kafka refuses us.

        """
        by_name = {self._names.full(spec): spec for spec in specs}
        found = await self.partitions_of(by_name)
        problems = [
            f"topic {name} is missing: create it with `maestro topics`" for name in by_name.keys() - found
        ]
        problems += [
            f"topic {name} has {count} partitions, not {self._topics.partitions}: all need the same"
            for name, count in found.items()
            if count != self._topics.partitions
        ]
        for name, config in (await self._configs_of(found)).items():
            wanted = config_of(by_name[name], self._topics)
            problems += [
                f"topic {name} has {key}={config.get(key)}, not {wanted[key]}"
                for key in _CHECKED
                if config.get(key) != wanted[key]
            ]
        return sorted(problems)

    async def partitions_of(self, topics: Collection[str]) -> dict[str, int]:
        """Return the partition counts of those of `topics` (full names) that exist.

        Raises:
            TransientError: Kafka does not answer.

        """
        try:
            described: list[dict[str, Any]] = await self._client.describe_topics(list(topics))
        except KafkaError as error:
            raise translated(error, doing="describing topics") from error
        return {each["topic"]: len(each["partitions"]) for each in described if not each["error_code"]}

    async def end_offsets(self, topics: Collection[str]) -> dict[tuple[str, int], int]:
        """Return the offset after the last message of each partition of `topics` (full names).

        Raises:
            TransientError: Kafka does not answer.

        """
        counts = await self.partitions_of(topics)
        places = [TopicPartition(name, number) for name, count in counts.items() for number in range(count)]
        try:
            ends: dict[TopicPartition, int] = await self._offsets.end_offsets(places)
        except KafkaError as error:
            raise translated(error, doing="asking for end offsets") from error
        return {(place.topic, place.partition): end for place, end in ends.items()}

    async def group_lag(self, group: str, topics: Collection[str]) -> dict[tuple[str, int], Lag]:
        """Return the lag of consumer group `group` in each partition of `topics` (full names).

        Raises:
            TransientError: Kafka does not answer.

        """
        ends = await self.end_offsets(topics)
        try:
            committed: Mapping[Any, Any] = await self._client.list_consumer_group_offsets(group)
        except KafkaError as error:
            raise translated(error, doing=f"asking for the offsets of {group}") from error
        by_place = {(place.topic, place.partition): entry.offset for place, entry in committed.items()}
        return {place: Lag(by_place.get(place), end) for place, end in ends.items()}

    async def cluster_id(self) -> str | None:
        """Return the cluster's own id.

        Raises:
            TransientError: Kafka does not answer.

        """
        try:
            described: dict[str, Any] = await self._client.describe_cluster()
        except KafkaError as error:
            raise translated(error, doing="describing the cluster") from error
        return described.get("cluster_id")

    async def _configs_of(self, topics: Iterable[str]) -> dict[str, dict[str, str]]:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
        if not resources:
            return {}
        try:
            responses: list[Any] = await self._client.describe_configs(resources)
        except KafkaError as error:
            raise translated(error, doing="reading topic configurations") from error
        return {
            resource[3]: {entry[0]: entry[1] for entry in resource[4]}
            for response in responses
            for resource in response.resources
        }

    async def _wait_for_leaders(self, topics: Collection[str]) -> None:
        try:
            async with asyncio.timeout(_LEADER_WAIT_S):
                while len(await self._led(topics)) < len(topics):  # noqa: ASYNC110  Kafka sends no event
                    await asyncio.sleep(0.05)
        except (TimeoutError, KafkaError) as error:
            raise translated(error, doing="waiting for leaders of new topics") from error

    async def _led(self, topics: Collection[str]) -> list[str]:
        described: list[dict[str, Any]] = await self._client.describe_topics(list(topics))
        return [
            each["topic"]
            for each in described
            if not each["error_code"] and all(part["leader"] >= 0 for part in each["partitions"])
        ]
