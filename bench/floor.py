"""Starts the floor on a broker: three bare roles, with or without Redis, and a caller."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.caller import Caller, calling
from bench.children import children
from bench.floor_worker import PARTITIONS, PREFIX, ROLES, TOPICS

_MESSAGE_BYTES = 600


def _question(_session: str) -> bytes:
    return orjson.dumps({"stage": 0, "text": "x" * _MESSAGE_BYTES})


@asynccontextmanager
async def floor(
    bootstrap: str, redis_url: str | None, pids: dict[str, int], logs: str
) -> AsyncGenerator[Caller]:
    """Run the floor while the context is open; `pids` gets its processes."""
    await _make_topics(bootstrap)
    commands = {
        f"{role}": (
            sys.executable, "-m", "bench.floor_worker", role, "--bootstrap", bootstrap,
            *(("--redis", redis_url) if redis_url else ()),
        )
        for role in ROLES
    }  # fmt: skip
    async with (
        children(commands, env={}, logs=logs, pids=pids, says="ready"),
        calling(
            bootstrap,
            ask_on=PREFIX + "messages",
            wait_on=PREFIX + "runs",
            value_of=_question,
            is_end=bool,
        ) as caller,
    ):
        yield caller


async def _make_topics(bootstrap: str) -> None:
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        topics = [NewTopic(PREFIX + name, PARTITIONS, 1) for name in TOPICS]
        await admin.create_topics(topics)  # existing ones are left alone: the answer says so, nothing raises
        await asyncio.sleep(1.0)  # leaders are chosen after the answer
    finally:
        await admin.close()
