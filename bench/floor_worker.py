"""The floor: one role of the same eight hops on bare aiokafka: `python -m bench.floor_worker ROLE …`.

With `--redis` the session role also reads and replaces an 8 KB value by a Lua compare-and-set at each
transition, all of one loop turn in one pipeline. No decisions, no record, no order per session: what any
system on Kafka has to pay.
"""

import argparse
import asyncio
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from redis.asyncio import Redis

TOPICS = ("messages", "requests", "generations", "calls", "results", "runs")
ROLES = ("session", "generate", "execute")
PARTITIONS = 12
PREFIX = "floor."
_CONTEXT = b"x" * 8192
_INPUTS = {
    "session": ("messages", "generations", "results"),
    "generate": ("requests",),
    "execute": ("calls",),
}
_STORE = """
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, 1) == '!' then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', 3600)
return 1
"""


def next_topic(topic: str, stage: int) -> tuple[str, int]:
    """Return where a message goes next, and its stage there: the eight hops of a run."""
    match topic:
        case "messages" | "results":
            return "requests", stage + 1
        case "requests":
            return "generations", stage
        case "generations" if stage == 1:
            return "calls", stage
        case "generations":
            return "runs", stage
        case _:
            return "results", stage


Command = tuple[bytes | str | int, ...]


class Turns:
    """Redis commands of one loop turn as one pipeline."""

    def __init__(self, client: Any, script: str) -> None:
        self._client = client
        self._script = script
        self._waiting: list[tuple[Command, asyncio.Future[object]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def transition(self, session: bytes) -> None:
        """Read a session's context and replace it."""
        key = b"floor:" + session
        await self._call("GET", key)
        await self._call("EVALSHA", self._script, 1, key, _CONTEXT)

    def _call(self, *command: bytes | str | int) -> asyncio.Future[object]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[object] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append((command, future))
        return future

    def _flush(self) -> None:
        batch, self._waiting = self._waiting, []
        task = asyncio.ensure_future(self._send(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, batch: list[tuple[Command, asyncio.Future[object]]]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for command, _ in batch:
            pipeline.execute_command(*command)
        for (_, future), reply in zip(batch, await pipeline.execute(), strict=True):
            future.set_result(reply)


class FloorWorker:
    """One role: consumes, does the transition, produces with the delivery awaited, commits behind."""

    def __init__(self, role: str, consumer: Any, producer: Any, turns: Turns | None) -> None:
        self._consumer = consumer
        self._producer = producer
        self._turns = turns if role == "session" else None
        self._done: dict[TopicPartition, int] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Work until cancelled."""
        committing = asyncio.create_task(self._commit())
        try:
            while True:
                batches = await self._consumer.getmany(timeout_ms=500, max_records=500)
                for place, records in batches.items():
                    self._start(records)
                    self._done[place] = records[-1].offset + 1
        finally:
            committing.cancel()

    def _start(self, records: Sequence[Any]) -> None:
        for record in records:
            task = asyncio.create_task(self._hop(record))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _hop(self, record: Any) -> None:
        body = orjson.loads(record.value)
        if self._turns is not None:
            await self._turns.transition(record.key)
        topic, body["stage"] = next_topic(record.topic.removeprefix(PREFIX), body["stage"])
        value = orjson.dumps(body)
        await (await self._producer.send(PREFIX + topic, value, record.key, record.partition))

    async def _commit(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            if self._done:
                await self._consumer.commit(dict(self._done))


async def work(role: str, bootstrap: str, redis_url: str | None) -> None:
    """Connect, say `ready`, and work until cancelled."""
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        max_batch_size=262_144,
        compression_type="lz4",
    )
    consumer: Any = AIOKafkaConsumer(
        *(PREFIX + topic for topic in _INPUTS[role]),
        bootstrap_servers=bootstrap,
        group_id=f"floor-{role}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    async with AsyncExitStack() as stack:
        turns = None
        if redis_url:
            redis: Any = Redis
            client = redis.from_url(redis_url)
            stack.push_async_callback(client.aclose)
            turns = Turns(client, await client.script_load(_STORE))
        await producer.start()
        stack.push_async_callback(producer.stop)
        await consumer.start()
        stack.push_async_callback(consumer.stop)
        print("ready", flush=True)
        await FloorWorker(role, consumer, producer, turns).run()


async def main() -> None:
    """Run one role until SIGTERM; print `ready` when it takes messages."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=sorted(_INPUTS))
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--redis")
    options = parser.parse_args()
    task = asyncio.current_task()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: task and task.cancel())
    try:
        await work(options.role, options.bootstrap, options.redis)
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    asyncio.run(main())
