"""A measured process of the runtime's bench: moves the messages of a topic to another one."""

import asyncio
import json
import sys
import time
from collections.abc import Hashable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from schemas.errors import FatalError
from streams.runtime.connection import ConnectionOptions
from streams.runtime.loop import run
from streams.runtime.record import Record
from streams.runtime.settings import RuntimeSettings
from streams.runtime.worker import Worker


class Meter:
    """CPU and time from the first message to the last."""

    def __init__(self, messages: int) -> None:
        self.is_done = asyncio.Event()
        self._messages = messages
        self._count = 0
        self._warm = messages // 10
        self._cpu_s = 0.0
        self._wall_s = 0.0

    def count(self) -> None:
        """Note one message that was moved. The first tenth warms up."""
        self._count += 1
        if self._count == self._warm:
            self._cpu_s, self._wall_s = time.process_time(), time.perf_counter()
        if self._count == self._messages:
            measured = self._messages - self._warm
            cpu_us = (time.process_time() - self._cpu_s) / measured * 1e6
            rate = measured / (time.perf_counter() - self._wall_s)
            print(json.dumps({"cpu_us": cpu_us, "per_s": rate}), flush=True)
            self.is_done.set()


class MovingRole:
    """Sends each message on and waits until the broker has it: one hop."""

    def __init__(self, source: str, target: str, producer: Any, meter: Meter) -> None:
        self.topics = (source,)
        self._target = target
        self._producer = producer
        self._meter = meter

    def lane(self, record: Record) -> Hashable | None:
        """One lane a key, as sessions have."""
        return record.key

    def join_key(self, record: Record) -> Hashable | None:
        """Nothing is joined."""
        _ = record

    async def step(self, record: Record) -> None:
        """Send it on."""
        delivery = await self._producer.send(
            self._target, record.value, key=record.key, partition=record.partition
        )
        await delivery
        self._meter.count()

    async def on_poison(self, record: Record, error: Exception) -> None:
        """Let nothing fail unseen."""
        message = f"offset {record.offset}: {error}"
        raise FatalError(message) from error

    async def on_assigned(self, partitions: frozenset[int]) -> None:
        """Nothing to prepare."""

    async def on_revoked(self, partitions: frozenset[int]) -> None:
        """Nothing to give back."""


def _producer(bootstrap: str, linger_ms: int) -> Any:
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, max_batch_size=262_144, linger_ms=linger_ms
    )


async def move_bare(options: dict[str, Any]) -> int:
    """The floor: take a batch, send it on, await all, commit."""
    meter = Meter(options["messages"])
    consumer: Any = AIOKafkaConsumer(
        options["source"],
        bootstrap_servers=options["bootstrap"],
        group_id=options["group"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    async with consumer, _producer(options["bootstrap"], options["linger_ms"]) as producer:
        while not meter.is_done.is_set():
            batches = await consumer.getmany(timeout_ms=1000, max_records=500)
            deliveries = [
                await producer.send(
                    options["target"], message.value, key=message.key, partition=message.partition
                )
                for messages in batches.values()
                for message in messages
            ]
            await asyncio.gather(*deliveries)
            await consumer.commit()
            for _ in deliveries:
                meter.count()
    return 0


async def move_by_worker(options: dict[str, Any]) -> int:
    """The same through a worker of the runtime."""
    meter = Meter(options["messages"])
    async with _producer(options["bootstrap"], options["linger_ms"]) as producer:
        worker = Worker(
            MovingRole(options["source"], options["target"], producer, meter),
            RuntimeSettings(max_in_flight=512),
            ConnectionOptions(bootstrap_servers=(options["bootstrap"],)),
            options["group"],
        )
        running = asyncio.create_task(worker.run())
        await meter.is_done.wait()
        worker.stop()
        return await running


def main() -> int:
    """Run what the first argument (JSON) describes."""
    options = json.loads(sys.argv[1])
    program = move_bare(options) if options["variant"] == "bare" else move_by_worker(options)
    return run(program, event_loop=options["event_loop"])


if __name__ == "__main__":
    sys.exit(main())
