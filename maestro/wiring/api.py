"""Builds the process that serves the API, and runs its server."""

import asyncio
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Final

import uvicorn

from api.app import create_app
from api.auth.tokens import open_tokens
from api.edge import Edge
from api.live import open_live
from api.settings import ApiSettings
from bus.agents_table import AgentsTable
from bus.message import Place
from bus.reader import Start, TopicReader
from maestro.settings import SettingsError, load
from maestro.wiring.http_server import Server, bounded
from maestro.wiring.reach import Reach
from maestro.wiring.wires import Bus, open_bus, open_database
from schemas.errors import FatalError
from schemas.topics import RUNS, TopicSpec
from stores.postgres.web import Web
from stores.redis.connection import RedisConnection
from stores.redis.edge import EdgeKeys
from stores.redis.feed import Feed
from stores.redis.settings import RedisSettings
from telemetry.health import Health, Verdict
from telemetry.logs import logger

_BACKLOG: Final = 2_048
_KEEP_ALIVE_S: Final = 75
"""Longer than the idle connections of usual proxies live, so that no request meets a closing one."""
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_SUPERVISE_EVERY_S: Final = 0.5
_STOP_LIMIT_S: Final = 5.0
_LEAST_HEAD_BYTES: Final = 65_536

_log = logger(__name__)


class ApiProcess:
    """One process that serves the API until a signal comes."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._ending = asyncio.Event()

    @property
    def health(self) -> Health:
        """What it knows of its own state."""
        return self._edge.health

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit code: 1 when it cannot go on.

        Then nothing new is accepted; streams and waits end at once, so that their callers resume elsewhere,
        and other requests get a while.

        Raises:
            FatalError: the address cannot be had.

        """
        settings = self._edge.settings
        with _listening(settings) as listener, _signals(self._ending):
            server = Server(_configuration(self._edge))
            serving = asyncio.create_task(server.serve(sockets=[listener]), name="api server")
            try:
                code = await self._supervise(server, serving)
            finally:
                self.health.drain()
                self._edge.stopping.set()
                self._edge.live.end()
                server.should_exit = True
                await asyncio.wait([serving], timeout=settings.shutdown_grace_s + _STOP_LIMIT_S)
        return code

    async def _supervise(self, server: uvicorn.Server, serving: asyncio.Task[None]) -> int:
        is_told = False
        while not self._ending.is_set():
            if serving.done():
                self.health.fail("the server has ended")
                return 1
            if (trouble := self._edge.agents.trouble() or self._edge.live.waiter.trouble()) is not None:
                _log.error("api_ends", reason=trouble)
                self.health.fail(trouble)
                return 1
            self.health.beat(Verdict(server.started, "" if server.started else "starting"))
            if server.started and not is_told:
                is_told = True
                _log.info("api_serves", address=self._edge.settings.public_url)
            try:
                async with asyncio.timeout(_SUPERVISE_EVERY_S):
                    _ = await self._ending.wait()
            except TimeoutError:
                continue
        return 0


@asynccontextmanager
async def api_process() -> AsyncGenerator[ApiProcess]:
    """Build the process; its clients are open while the context is.

    Raises:
        SettingsError: settings are missing or do not fit.

    """
    (settings,) = load(ApiSettings)
    if missing := settings.missing():
        raise SettingsError(missing)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(open_bus("maestro.api"))
        edge = await _open_edge(stack, settings, bus)
        yield ApiProcess(edge)


async def _open_edge(stack: AsyncExitStack, settings: ApiSettings, bus: Bus) -> Edge:
    database = await stack.enter_async_context(open_database())
    (redis_settings,) = load(RedisSettings)
    redis = RedisConnection(redis_settings)
    await redis.start(bus.topics.partitions)
    stack.push_async_callback(redis.stop)
    agents = AgentsTable(bus.kafka, names=bus.names, codec=bus.codec)
    await agents.start()
    stack.push_async_callback(agents.stop)
    web, keys, reader = Web(database), EdgeKeys(redis), _reader_of(bus)
    live = await stack.enter_async_context(
        open_live(
            settings,
            redis=redis,
            keys=keys,
            database=database,
            web=web,
            codec=bus.codec,
            runs=reader(RUNS),
            partitions=bus.topics.partitions,
        )
    )
    edge = Edge(
        settings=settings,
        tokens=await stack.enter_async_context(open_tokens(settings)),
        web=web,
        database=database,
        redis=keys,
        feed=Feed(redis),
        publisher=bus.publisher,
        agents=agents,
        codec=bus.codec,
        names=bus.names,
        partitions=bus.topics.partitions,
        reader=reader,
        live=live,
    )
    reach = Reach(
        {"PostgreSQL": lambda: database.fetch_one("select 1"), "Redis": lambda: redis.command(b"PING")}
    )
    reach.start()
    stack.push_async_callback(reach.stop)
    edge.health.also(reach.trouble)
    edge.health.also(bus.publisher.trouble)
    return edge


def _reader_of(bus: Bus) -> Callable[..., TopicReader]:
    def reader(*specs: TopicSpec, start: Start | Mapping[Place, int] = Start.END) -> TopicReader:
        return TopicReader(bus.kafka, [bus.names.full(spec) for spec in specs], start=start)

    return reader


def _configuration(edge: Edge) -> uvicorn.Config:
    settings = edge.settings
    return uvicorn.Config(
        create_app(edge),
        loop="none",
        # The application refuses long headers with a problem document; this is for what never ends.
        http=bounded(max(_LEAST_HEAD_BYTES, 2 * settings.max_header_bytes)),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # our own lines have no paths and no queries
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_grace_s)),
    )


@contextmanager
def _listening(settings: ApiSettings) -> Generator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        message = (
            f"cannot serve the API on {settings.host}:{settings.port}: another process has it, or the"
            f" address is not of this machine ({error.strerror or error}); change MAESTRO_API_HOST or"
            " MAESTRO_API_PORT"
        )
        raise FatalError(message) from error
    with listener:
        yield listener


@contextmanager
def _signals(ending: asyncio.Event) -> Generator[None]:
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, ending.set)
    try:
        yield
    finally:
        for number in _STOP_SIGNALS:
            _ = loop.remove_signal_handler(number)
