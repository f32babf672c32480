"""Fixtures of the contract suites: each test of a port runs on the fake and on the real thing."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.ports.redis_server import RedisServer
from tests.ports.redis_sides import FakeSide, RealSide, RedisSide


@pytest.fixture(scope="session")
async def redis_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    """A server that tests flush, but do not stop."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def own_server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A server that the test may kill."""
    server = RedisServer(tmp_path)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(params=["fake", "real"])
async def redis(request: pytest.FixtureRequest, redis_server: RedisServer) -> AsyncIterator[RedisSide]:
    """Both sides in turn; on the real one under key names of the test's own."""
    if request.param == "fake":
        yield FakeSide()
        return
    prefix = f"{uuid.uuid4()}:"
    one, other = await redis_server.connect(prefix), await redis_server.connect(prefix)
    yield RealSide(one, other)
    await one.stop()
    await other.stop()


@pytest.fixture
def session_id() -> str:
    """A session of the test's own."""
    return str(uuid.uuid4())
