"""How far each consumer group is behind: messages not processed yet, and the age of the oldest one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic, time

from bus.admin import Lag
from bus.message import Place
from maestro.clients import KafkaAccess, database
from schemas.errors import MaestroError, NotFoundError
from schemas.topics import GENERATION_REQUESTS, SESSIONS, TOOL_CALLS, TopicSpec
from sinks.embeddings.items import TOPICS as EMBEDDED
from sinks.postgres.tables import BY_TOPIC
from stores.postgres.progress import Progress
from streams.session.role import INPUTS

_READ_LIMIT_S = 10.0
_READ_S = 1.0
_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A consumer group: what it reads, and under which name it keeps offsets in the record, if it does."""

    name: str
    topics: tuple[TopicSpec, ...]
    sink: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLag:
    """Where a group is in one partition. The age is None when nothing waits there or it cannot be read."""

    topic: str
    partition: int
    committed: int | None
    """What the group told Kafka; None when it never did."""
    stored: int | None
    """What a sink keeps in the record: this is where it goes on. None for groups that keep none there."""
    end: int
    lag: int
    """Messages not processed yet, at most: a compacted topic has holes."""
    oldest_age_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLag:
    """Where a group is, in all its partitions together."""

    group: str
    has_run: bool
    """Whether a process of it was ever here; if not, its lag is that of one that begins now."""
    lag: int
    oldest_age_s: float | None
    partitions: tuple[PartitionLag, ...]


GROUPS = (
    Group(name="session", topics=INPUTS),
    Group(name="generate", topics=(GENERATION_REQUESTS,)),
    Group(name="execute", topics=(TOOL_CALLS,)),
    Group(name="sink-postgres", topics=tuple(BY_TOPIC), sink="postgres"),
    Group(name="sink-embeddings", topics=tuple(EMBEDDED), sink="embeddings"),
    Group(name="sink-recents", topics=(SESSIONS,)),
)


def partition_lag(place: Place, lag: Lag, stored: int | None) -> PartitionLag:
    """Return the lag of one partition; a sink's own offset counts more than what it told Kafka. Pure."""
    committed = lag.committed if lag.committed is not None and lag.committed >= 0 else None
    next_offset = stored if stored is not None else committed or 0
    return PartitionLag(
        topic=place[0],
        partition=place[1],
        committed=committed,
        stored=stored,
        end=lag.end,
        lag=max(0, lag.end - next_offset),
    )


def summary(group: str, partitions: Sequence[PartitionLag]) -> GroupLag:
    """Return what all partitions of a group come to. Pure."""
    ages = [each.oldest_age_s for each in partitions if each.oldest_age_s is not None]
    return GroupLag(
        group=group,
        has_run=any(each.committed is not None or each.stored for each in partitions),
        lag=sum(each.lag for each in partitions),
        oldest_age_s=max(ages, default=None),
        partitions=tuple(partitions),
    )


async def measure_lag() -> tuple[list[GroupLag], str | None]:
    """Return the lag of every group, and why the sinks' own offsets are missing, if they are.

    Raises:
        TransientError: Kafka cannot be reached.
        FatalError: it refuses us.
        NotFoundError: there are no topics.

    """
    kafka = await KafkaAccess.from_environment()
    groups: list[GroupLag] = []
    trouble: str | None = None
    async with kafka.admin() as admin:
        for group in GROUPS:
            topics = [kafka.names.full(spec) for spec in group.topics]
            lags = await admin.group_lag(kafka.names.group(group.name), topics)
            stored: Mapping[Place, int] = {}
            if group.sink is not None and trouble is None:
                try:
                    stored = await _stored(group.sink, list(lags))
                except MaestroError as error:
                    trouble = error.message
            rows = [partition_lag(place, lag, stored.get(place)) for place, lag in sorted(lags.items())]
            aged = await _aged(kafka, group, rows)
            groups.append(summary(kafka.names.group(group.name), aged))
    if not any(group.partitions for group in groups):
        message = (
            f"there are no topics that begin with {kafka.names.prefix!r}: run `maestro topics`, "
            "or check MAESTRO_TOPIC_PREFIX"
        )
        raise NotFoundError(message)
    return groups, trouble


async def _stored(sink: str, places: Sequence[Place]) -> Mapping[Place, int]:
    async with database() as record:
        return await Progress(record, sink=sink).next_offsets(places)


async def _aged(kafka: KafkaAccess, group: Group, rows: Sequence[PartitionLag]) -> list[PartitionLag]:
    """Read the first unprocessed message of each partition for its broker's time."""
    waiting = {(row.topic, row.partition): row.end - row.lag for row in rows if row.lag}
    if not waiting:
        return list(rows)
    topics = {place[0] for place in waiting}
    specs = [spec for spec in group.topics if kafka.names.full(spec) in topics]
    start = {(row.topic, row.partition): row.end for row in rows} | waiting
    oldest: dict[Place, int] = {}
    deadline = monotonic() + _READ_LIMIT_S
    async with kafka.reader(*specs, start=start) as reader:
        while waiting.keys() - oldest.keys() and monotonic() < deadline:
            messages = await reader.read(timeout_s=_READ_S)
            if not messages:
                break  # they are gone: deleted by age, or compacted away
            for message in messages:
                _ = oldest.setdefault((message.topic, message.partition), message.timestamp)
    return [_with_age(row, oldest.get((row.topic, row.partition))) for row in rows]


def _with_age(row: PartitionLag, timestamp_ms: int | None) -> PartitionLag:
    if timestamp_ms is None or not row.lag:
        return row
    return PartitionLag(
        topic=row.topic,
        partition=row.partition,
        committed=row.committed,
        stored=row.stored,
        end=row.end,
        lag=row.lag,
        oldest_age_s=max(0.0, time() - timestamp_ms / _MS),
    )
