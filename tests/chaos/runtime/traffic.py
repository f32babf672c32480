"""Messages of a chaos run, and what the broker says about them."""

import asyncio
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError


@dataclass(frozen=True, slots=True)
class Traffic:
    """The topics and the consumer group of one run."""

    bootstrap: str
    topics: tuple[str, ...]
    group: str
    partitions: int


async def make_traffic(bootstrap: str, *, partitions: Sequence[int] = (6, 6)) -> Traffic:
    """Create fresh topics, one per entry of `partitions`."""
    tag = uuid.uuid4().hex[:8]
    topics = tuple(f"chaos-{tag}-{index}" for index in range(len(partitions)))
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        answer: Any = await admin.create_topics(
            [NewTopic(topic, count, 1) for topic, count in zip(topics, partitions, strict=True)]
        )
        assert all(error[1] == 0 for error in answer.topic_errors), answer
    finally:
        await admin.close()
    return Traffic(bootstrap, topics, f"group-{tag}", partitions[0])


async def produce(traffic: Traffic, *, count: int, keys: int, over_s: float) -> list[str]:
    """Send `count` numbered messages evenly over the time; return their ids when the broker has them."""
    producer = AIOKafkaProducer(bootstrap_servers=traffic.bootstrap, enable_idempotence=True, linger_ms=0)
    await producer.start()
    ids: list[str] = []
    try:
        deliveries: list[asyncio.Future[object]] = []
        for number in range(count):
            key = f"k{number % keys}"
            topic = traffic.topics[(number // keys) % len(traffic.topics)]
            ids.append(f"{traffic.group}-{number}")
            value = json.dumps({"id": ids[-1], "key": key, "number": number}).encode()
            deliveries.append(await producer.send(topic, value, key=key.encode()))
            await asyncio.sleep(over_s / count)
        await asyncio.gather(*deliveries)
    finally:
        await producer.stop()
    return ids


async def lag(traffic: Traffic) -> dict[str, int]:
    """Return the partitions whose committed offset is not their end, with the difference."""
    reader = AIOKafkaConsumer(bootstrap_servers=traffic.bootstrap, group_id=None)
    admin = AIOKafkaAdminClient(bootstrap_servers=traffic.bootstrap)
    await reader.start()
    await admin.start()
    try:
        places = [
            TopicPartition(topic, number) for topic in traffic.topics for number in range(traffic.partitions)
        ]
        ends = await reader.end_offsets(places)
        committed = await admin.list_consumer_group_offsets(traffic.group)
        behind = {
            f"{place.topic}/{place.partition}": end
            - max(0, committed[place].offset if place in committed else 0)
            for place, end in ends.items()
        }
        return {name: difference for name, difference in behind.items() if difference}
    finally:
        await admin.close()
        await reader.stop()


async def wait_for_no_lag(traffic: Traffic, limit_s: float) -> None:
    """Return when every partition is committed to its end. Raises AssertionError naming the others."""
    behind: dict[str, int] = {}
    try:
        async with asyncio.timeout(limit_s):
            while True:
                try:
                    behind = await lag(traffic)
                except KafkaError:
                    behind = {"the broker does not answer": 0}
                if not behind:
                    return
                await asyncio.sleep(0.5)
    except TimeoutError as error:
        message = f"not committed to the end after {limit_s:.0f} s: {behind}"
        raise AssertionError(message) from error
