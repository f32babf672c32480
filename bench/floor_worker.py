"""The floor: one role of the same eight hops on bare aiokafka, without Maestro: `python -m bench.floor_worker ROLE …`.

With `--redis` the session role also reads and replaces an 8 KB value by a Lua compare-and-set at each transition, all
of one loop turn in one pipeline. No decisions, no record, no order per session: what any system on Kafka has to pay.
"""

import argparse
import asyncio
import signal
from collections.abc import Awaitable, Callable

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
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


class Turns:
    """Redis commands of one loop turn as one pipeline."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._waiting: list[tuple[tuple[bytes | str | int, ...], asyncio.Future[object]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def call(self, *command: bytes | str | int) -> Awaitable[object]:
        """Queue one command; its reply comes with everybody else's."""
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

    async def _send(self, batch: list[tuple[tuple[bytes | str | int, ...], asyncio.Future[object]]]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for command, _ in batch:
            pipeline.execute_command(*command)
        for (_, future), reply in zip(batch, await pipeline.execute(), strict=True):
            future.set_result(reply)


async def transition(turns: Turns | None, script: str, session: bytes) -> None:
    """Read a session's context and replace it."""
    if turns is None:
        return
    key = b"floor:" + session
    await turns.call("GET", key)
    await turns.call("EVALSHA", script, 1, key, _CONTEXT)


async def work(role: str, bootstrap: str, redis_url: str | None, ready: Callable[[], None]) -> None:
    """Consume, do the transition, produce with the delivery awaited, commit behind: until cancelled."""
    client = Redis.from_url(redis_url) if redis_url else None
    script = await client.script_load(_STORE) if client else ""
    turns = Turns(client) if client else None
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        max_batch_size=262_144,
        compression_type="lz4",
    )
    consumer = AIOKafkaConsumer(
        *(PREFIX + topic for topic in _INPUTS[role]),
        bootstrap_servers=bootstrap,
        group_id=f"floor-{role}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await producer.start()
    await consumer.start()
    ready()

    async def hop(record: ConsumerRecord[bytes, bytes]) -> None:
        body = orjson.loads(record.value or b"{}")
        if role == "session":
            await transition(turns, script, record.key or b"")
        topic, body["stage"] = next_topic(record.topic.removeprefix(PREFIX), body["stage"])
        await (await producer.send(PREFIX + topic, orjson.dumps(body), record.key, record.partition))

    async def commits() -> None:
        while True:
            await asyncio.sleep(0.1)
            if done:
                await consumer.commit(dict(done))

    done: dict[TopicPartition, int] = {}
    committing = asyncio.create_task(commits())
    running: set[asyncio.Task[None]] = set()
    try:
        while True:
            for place, records in (await consumer.getmany(timeout_ms=500, max_records=500)).items():
                for record in records:
                    task = asyncio.create_task(hop(record))
                    running.add(task)
                    task.add_done_callback(running.discard)
                done[place] = records[-1].offset + 1
    finally:
        committing.cancel()
        await consumer.stop()
        await producer.stop()
        if client:
            await client.aclose()


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
        await work(options.role, options.bootstrap, options.redis, lambda: print("ready", flush=True))
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    asyncio.run(main())
