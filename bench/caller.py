"""Asks on one topic and waits on another; the message key, a session id, joins question and answer."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition


class Caller:
    """One question at a time per session."""

    def __init__(
        self, producer: Any, topic: str, value_of: Callable[[str], bytes], is_end: Callable[[bytes], bool]
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._value_of = value_of
        self._is_end = is_end
        self._waiting: dict[bytes, asyncio.Future[None]] = {}

    async def ask(self, session: str) -> None:
        """Send the session's next message and return when its run has ended."""
        future = asyncio.get_running_loop().create_future()
        key = session.encode()
        self._waiting[key] = future
        await self._producer.send(self._topic, self._value_of(session), key)
        await future

    async def listen(self, consumer: Any) -> None:
        """Wake whoever waits for an answer; runs until cancelled."""
        async for record in consumer:
            future = self._waiting.get(record.key)
            if future is not None and self._is_end(record.value):
                del self._waiting[record.key]
                if not future.done():
                    future.set_result(None)


@asynccontextmanager
async def calling(
    bootstrap: str,
    *,
    ask_on: str,
    wait_on: str,
    value_of: Callable[[str], bytes],
    is_end: Callable[[bytes], bool],
) -> AsyncGenerator[Caller]:
    """Open a caller; its positions are resolved before it asks, so that no first answer is missed."""
    producer: Any = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=262_144)
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await producer.start()
    await consumer.start()
    try:
        await producer.client.force_metadata_update()
        partitions = await producer.partitions_for(wait_on)
        places = [TopicPartition(wait_on, number) for number in partitions]
        consumer.assign(places)
        await consumer.seek_to_end(*places)
        for place in places:
            await consumer.position(place)
        caller = Caller(producer, ask_on, value_of, is_end)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(caller.listen(consumer))
            yield caller
            listening.cancel()
    finally:
        await consumer.stop()
        await producer.stop()
