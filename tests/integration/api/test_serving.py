"""The server itself, over a real connection: it ends in good order, and refuses what never ends."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest

from api.edge import Edge
from maestro.wiring.api import ApiProcess
from schemas.errors import FatalError
from tests.unit.api.edges import bearer, edge_with, settings, token_of

LIMIT_S = 30.0


class Nothing:
    """What the process supervises and ends, without stores."""

    def __init__(self) -> None:
        self.why: str | None = None
        self.waiter = self
        self.has_ended = False

    def trouble(self) -> str | None:
        return self.why

    def end(self) -> None:
        self.has_ended = True


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def edge_on(port: int, nothing: Nothing, **values: Any) -> Edge:
    edge = edge_with(settings(port=port, **values))
    return replace(edge, agents=cast("Any", nothing), live=cast("Any", nothing))


@contextlib.asynccontextmanager
async def serving(edge: Edge) -> AsyncGenerator[asyncio.Task[int]]:
    """The process, once it answers; ended with the block."""
    running = asyncio.create_task(ApiProcess(edge).run())
    try:
        async with asyncio.timeout(LIMIT_S), httpx.AsyncClient() as client:
            while not await _answers(client, edge.settings.public_url):  # noqa: ASYNC110  it is the server's
                await asyncio.sleep(0.05)
        yield running
    finally:
        running.cancel()
        _ = await asyncio.wait([running], timeout=LIMIT_S)


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/ready")).status_code == 200
    except httpx.TransportError:
        return False


async def test_it_ends_on_sigterm_and_lets_go_who_waits() -> None:
    nothing = Nothing()
    edge = edge_on(free_port(), nothing)
    async with serving(edge) as running:
        os.kill(os.getpid(), signal.SIGTERM)
        assert await asyncio.wait_for(running, LIMIT_S) == 0
    assert nothing.has_ended
    assert edge.stopping.is_set()
    assert edge.health.ready().reason == "draining"


async def test_it_ends_with_1_when_it_is_deaf() -> None:
    nothing = Nothing()
    edge = edge_on(free_port(), nothing)
    async with serving(edge) as running:
        nothing.why = "the topic is no longer followed"
        assert await asyncio.wait_for(running, LIMIT_S) == 1
    assert edge.health.live().reason == nothing.why


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        with pytest.raises(FatalError, match=f"127.0.0.1:{port}.*MAESTRO_API_PORT"):
            _ = await ApiProcess(edge_on(port, Nothing())).run()


async def _pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 1_000


async def test_a_body_without_a_length_is_refused_when_it_grows_too_large() -> None:
    edge = edge_on(free_port(), Nothing(), max_body_bytes=5_000)
    headers = bearer(token_of(edge.settings))
    url = f"{edge.settings.public_url}/chat-sessions/"
    async with serving(edge), httpx.AsyncClient(timeout=LIMIT_S) as client:
        answer = await client.post(url, content=_pieces(15), headers=headers)
        # What has no end is cut off, sooner or later while it is sent.
        with contextlib.suppress(httpx.TransportError):
            endless = await client.post(url, content=_pieces(100_000), headers=headers)
            assert endless.status_code == 413
        assert (await client.get(f"{edge.settings.public_url}/ready")).status_code == 200
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "begins",
    [
        b"GET /live HTTP/1.1\r\nHost: a\r\nX-Long: ",
        b"GET /",
        b"GET /live HTTP/1.1\r\nHost: a\r\nX-Long",
        b"GET /live HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Late: ",
        b"GET /live HTTP/1.1\r\nHost: a\r\n\r\nGET /live HTTP/1.1\r\nHost: ",
    ],
    ids=["a header's value", "a path", "a header's name", "a trailer", "a second request"],
)
async def test_what_comes_before_or_behind_a_body_without_end_is_cut_off(begins: bytes) -> None:
    edge = edge_on(free_port(), Nothing(), max_header_bytes=2_000)
    async with serving(edge):
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.settings.port)
        writer.write(begins + b"x" * 1_000_000)
        async with asyncio.timeout(LIMIT_S):
            with contextlib.suppress(ConnectionError):
                _ = await reader.read()  # up to the end of the connection
        writer.close()


async def test_a_long_head_that_ends_gets_a_problem_and_a_long_body_counts_as_no_head() -> None:
    edge = edge_on(free_port(), Nothing(), max_header_bytes=2_000)
    async with serving(edge), httpx.AsyncClient(timeout=LIMIT_S) as client:
        url = edge.settings.public_url
        refused = await client.get(f"{url}/live", headers={"X-Long": "x" * 20_000})
        taken = await client.post(f"{url}/chat-sessions/", content=b"x" * 500_000)
    assert refused.status_code == httpx.codes.REQUEST_HEADER_FIELDS_TOO_LARGE
    assert refused.headers["content-type"] == "application/problem+json"
    assert taken.status_code == httpx.codes.UNAUTHORIZED
