"""`bench api streams`: a thousand readers of one session on one process: memory, and delay of a token."""

import argparse
import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final, cast

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
_SECONDS: Final = 15
_WARM_UP_TOKENS: Final = 10
_OPEN_AT_ONCE: Final = 50
_PATIENCE_S: Final = 60.0
_MARK: Final = b'"text":"'


class _Reader(asyncio.Protocol):
    """One stream: notes when each token came. The text of a token is when it was sent."""

    def __init__(self, request: bytes, delays: list[float]) -> None:
        self._request = request
        self._delays = delays
        self._rest = b""
        self.began = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        cast("asyncio.WriteTransport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note the tokens that have come whole."""
        now_ns = time.monotonic_ns()
        data = self._rest + data
        whole = data.rfind(b"\n\n") + 1
        if not self.began.done() and b"retry:" in data:
            self.began.set_result(data.startswith(b"HTTP/1.1 200"))
        at = data.find(_MARK, 0, whole)
        while at >= 0:
            begins = at + len(_MARK)
            sent_ns = int(data[begins : data.find(b'"', begins)])
            self._delays.append((now_ns - sent_ns) / 1e6)
            at = data.find(_MARK, begins, whole)
        self._rest = data[whole:]


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
        delays: list[float] = []
        readers = await _opened(under_test, session_id, delays)
        opened = usage_of(under_test.pid)
        await _tokens(redis, feed, _WARM_UP_TOKENS)
        await _until(delays, _READERS * _WARM_UP_TOKENS)
        delays.clear()
        count = _TOKENS_PER_S * _SECONDS
        began = usage_of(under_test.pid)
        await _tokens(redis, feed, count)
        await _until(delays, _READERS * count)
        ended = usage_of(under_test.pid)
        for transport in readers:
            transport.close()
    finally:
        await redis.stop()
    return {
        "readers": _READERS,
        "tokens": count,
        "kb_per_reader": (opened.resident_mb - before.resident_mb) * 1024 / _READERS,
        "resident_mb": ended.resident_mb,
        "cpu_share": (ended.cpu_s - began.cpu_s) / _SECONDS,
        "delay_p50_ms": quantile(delays, 0.5),
        "delay_p99_ms": quantile(delays, 0.99),
    }


async def _opened(
    under_test: ApiUnderTest, session_id: str, delays: list[float]
) -> list[asyncio.WriteTransport]:
    lines = [f"GET /chat-sessions/{session_id}/events HTTP/1.1", f"Host: 127.0.0.1:{under_test.port}"]
    lines += [f"{name}: {value}" for name, value in under_test.headers.items()]
    request = "\r\n".join((*lines, "", "")).encode()
    places = asyncio.Semaphore(_OPEN_AT_ONCE)
    loop = asyncio.get_running_loop()

    async def one() -> asyncio.WriteTransport:
        async with places, asyncio.timeout(_PATIENCE_S):
            transport, reader = await loop.create_connection(
                lambda: _Reader(request, delays), "127.0.0.1", under_test.port
            )
            if not await reader.began:
                message = "a stream was not opened; see the log of the API"
                raise RuntimeError(message)
            return transport

    return list(await asyncio.gather(*(one() for _ in range(_READERS))))


async def _tokens(redis: RedisConnection, feed: bytes, count: int) -> None:
    run_id, generation_id, attempt_id = ids.new_id(), ids.new_id(), ids.new_id()
    for n in range(count):
        data = {"run_id": run_id, "generation_id": generation_id, "attempt_id": attempt_id, "n": n}
        text = str(time.monotonic_ns())
        await redis.command(
            b"XADD", feed, b"*", b"kind", b"delta", b"data", orjson.dumps({**data, "text": text})
        )
        await asyncio.sleep(1 / _TOKENS_PER_S)


async def _until(delays: list[float], number: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while len(delays) < number:
        if time.monotonic() > deadline:
            message = f"{len(delays)} of {number} tokens came"
            raise TimeoutError(message)
        await asyncio.sleep(0.05)


def table(results: Mapping[str, Any]) -> str:
    """Return the figures as lines."""
    return "\n".join(
        (
            f"  {results['readers']} readers, {results['tokens']} tokens, {_TOKENS_PER_S} a second",
            f"  memory of a reader        {results['kb_per_reader']:7.0f} KB",
            f"  memory of the process     {results['resident_mb']:7.0f} MB",
            f"  CPU of the process        {results['cpu_share']:7.2f} cores",
            f"  a token has come, p50     {results['delay_p50_ms']:7.1f} ms",
            f"  a token has come, p99     {results['delay_p99_ms']:7.1f} ms",
        )
    )
