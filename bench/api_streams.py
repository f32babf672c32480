"""`bench api streams`: a thousand readers of one session on one process: memory, and delay of a token."""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from statistics import median
from typing import Any, Final

import orjson

from bench.accounting import usage_of
from bench.api_process import USER, ApiUnderTest, api_under_test
from bench.folder import bench_folder
from bench.load import quantile
from bench.maestro_system import environment
from bus.admin import Admin
from bus.settings import KafkaSettings, TopicSettings
from maestro.embedded.settings import EmbeddedSettings
from maestro.embedded.stack import EmbeddedStack, StackUrls
from schemas import ids
from schemas.partition import partition_of
from stores.postgres.migrate import migrate
from stores.redis.connection import RedisConnection
from stores.redis.edge import EdgeKeys
from stores.redis.settings import RedisSettings

_READERS: Final = 1_000
_TOKENS_PER_S: Final = 10
_TOKENS: Final = 150
_WARM_UP_TOKENS: Final = 10
_PATIENCE_S: Final = 90.0
_LONGEST_ANSWER: Final = 100_000_000


async def main(options: argparse.Namespace) -> Mapping[str, Any]:
    """Open the streams, send tokens, and return memory and delays."""
    del options
    with bench_folder() as folder:
        logs = str(folder)
        async with EmbeddedStack(EmbeddedSettings(data_dir=folder / "data")) as stack:
            urls = stack.urls
            pids: dict[str, int] = {}
            await migrate(urls.database_url)
            async with Admin(KafkaSettings(bootstrap_servers=urls.kafka_bootstrap), TopicSettings()) as admin:
                await admin.create_topics()
            async with api_under_test(environment(urls, logs), pids, logs) as under_test:
                return await _measured(urls, under_test)


async def _measured(urls: StackUrls, under_test: ApiUnderTest) -> Mapping[str, Any]:
    partitions, session_id = TopicSettings().partitions, ids.new_id()
    redis = RedisConnection(RedisSettings.model_validate({"redis_url": urls.redis_url}))
    await redis.start(partitions)
    try:
        # As if its owner had just written to it: that makes it theirs before it is recorded.
        await EdgeKeys(redis).note_write(USER, session_id, ids.new_id(), "message", keep_s=3_600)
        feed = redis.keys.feed(partition_of(session_id, partitions), session_id)
        before = usage_of(under_test.pid)
        async with _readers(under_test, session_id) as readers:
            opened = usage_of(under_test.pid)
            await _tokens(redis, feed, _WARM_UP_TOKENS)
            began, readers_began, began_ns = (
                usage_of(under_test.pid),
                usage_of(readers.pid),
                time.monotonic_ns(),
            )
            await _tokens(redis, feed, _TOKENS)
            ended, readers_ended = usage_of(under_test.pid), usage_of(readers.pid)
            by_token = await _delays(readers, began_ns)
    finally:
        await redis.stop()
    delays = [delay for token in by_token for delay in token]
    cpu_ms = (ended.cpu_s - began.cpu_s) * 1000 / _TOKENS
    return {
        "readers": _READERS,
        "tokens": _TOKENS,
        "kb_per_reader": (opened.resident_mb - before.resident_mb) * 1024 / _READERS,
        "resident_mb": ended.resident_mb,
        "cpu_ms_per_token": cpu_ms,
        "cpu_us_per_token_and_reader": cpu_ms * 1000 / _READERS,
        "readers_cpu_ms_per_token": (readers_ended.cpu_s - readers_began.cpu_s) * 1000 / _TOKENS,
        "delay_p50_ms": quantile(delays, 0.5),
        "delay_p99_ms": quantile(delays, 0.99),
        "last_reader_p50_ms": median(map(max, by_token)),
    }


@asynccontextmanager
async def _readers(under_test: ApiUnderTest, session_id: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Open the streams in a process of their own, and end it."""
    command = (sys.executable, "-m", "bench.stream_readers", str(under_test.port))
    readers = await asyncio.create_subprocess_exec(
        *command,
        f"/chat-sessions/{session_id}/events",
        str(_READERS),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LONGEST_ANSWER,
    )
    try:
        if await _said(readers, orjson.dumps(dict(under_test.headers))) != b"open\n":
            message = "the streams were not opened; see the log of the API"
            raise RuntimeError(message)
        yield readers
    finally:
        if readers.returncode is None:
            readers.kill()
        _ = await readers.wait()


async def _delays(readers: asyncio.subprocess.Process, since_ns: int) -> list[list[float]]:
    by_token: list[list[float]] = orjson.loads(await _said(readers, b"%d" % since_ns))
    if (came := sum(map(len, by_token))) != _READERS * _TOKENS:
        message = f"{came} of {_READERS * _TOKENS} tokens came"
        raise RuntimeError(message)
    return by_token


async def _said(readers: asyncio.subprocess.Process, line: bytes) -> bytes:
    """Tell the readers something, and return their answer."""
    if readers.stdin is None or readers.stdout is None:
        return b""
    readers.stdin.write(line + b"\n")
    async with asyncio.timeout(_PATIENCE_S):
        return await readers.stdout.readline()


async def _tokens(redis: RedisConnection, feed: bytes, count: int) -> None:
    run_id, generation_id, attempt_id = ids.new_id(), ids.new_id(), ids.new_id()
    for n in range(count):
        data = {"run_id": run_id, "generation_id": generation_id, "attempt_id": attempt_id, "n": n}
        text = str(time.monotonic_ns())
        await redis.command(
            b"XADD", feed, b"*", b"kind", b"delta", b"data", orjson.dumps({**data, "text": text})
        )
        await asyncio.sleep(1 / _TOKENS_PER_S)


def table(results: Mapping[str, Any]) -> str:
    """Return the figures as lines."""
    return "\n".join(
        (
            f"  {results['readers']} readers, {results['tokens']} tokens, {_TOKENS_PER_S} a second",
            f"  memory of a reader        {results['kb_per_reader']:7.0f} KB",
            f"  memory of the process     {results['resident_mb']:7.0f} MB",
            f"  CPU for a token           {results['cpu_ms_per_token']:7.1f} ms",
            f"  CPU of the readers for it {results['readers_cpu_ms_per_token']:7.1f} ms",
            f"  a token has come, p50     {results['delay_p50_ms']:7.1f} ms",
            f"  a token has come, p99     {results['delay_p99_ms']:7.1f} ms",
            f"  its last reader has it, p50 {results['last_reader_p50_ms']:5.1f} ms",
        )
    )
