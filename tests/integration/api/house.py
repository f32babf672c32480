"""An edge on real services without any worker or sink: what is in the record was put there by the test."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI

from api.app import create_app
from api.auth.keys import Secret
from api.auth.tokens import Tokens
from api.edge import Edge
from api.live import Live, open_live
from api.settings import ApiSettings
from bus.agents_table import AgentsTable
from bus.message import Message
from bus.reader import Start, TopicReader
from maestro.embedded.stack import EmbeddedStack
from schemas.records import Record
from schemas.topics import RUNS, TopicSpec
from sinks.postgres.store import PostgresStore
from stores.postgres.web import Web
from stores.redis.connection import RedisConnection
from stores.redis.edge import EdgeKeys
from stores.redis.feed import Feed
from telemetry.health import Health, Verdict
from tests.fakes.partition import write_all
from tests.fleet.fleet import Ground, prepared_ground
from tests.unit.api.edges import bearer, client_of, settings, token_of

PARTITIONS = 3
LIMIT_S = 30.0


@dataclass(frozen=True)
class House:
    """An edge, its application, and the ground that they stand on."""

    ground: Ground
    edge: Edge
    app: FastAPI

    async def record(self, *records: Record) -> None:
        """Put records into the record, as the sink would. Once a house: offsets begin at 0."""
        await write_all(PostgresStore(self.ground.database, weeks_ahead=1), *records)

    def client(self, user_id: str | None) -> httpx.AsyncClient:
        """Return a client of a user; None: of somebody without a token."""
        client = client_of(self.app)
        if user_id is not None:
            client.headers.update(bearer(token_of(self.edge.settings, user_id, lives_s=3_600)))
        return client

    async def published(self, *specs: TopicSpec) -> list[Message]:
        """Return every message of some topics."""
        names = [self.ground.names.full(spec) for spec in specs]
        async with TopicReader(self.ground.kafka, names, start=Start.BEGINNING) as reader:
            return [message async for message in reader.read_to_end(deadline_s=LIMIT_S)]


@asynccontextmanager
async def open_house(stack: EmbeddedStack, **values: Any) -> AsyncGenerator[House]:
    """Open a house; `values` are settings of its edge. Nothing limits how often its callers call."""
    chosen = settings(**{"rate_limit": 0, "read_wait_s": 0.05, **values})
    async with prepared_ground(stack, partitions=PARTITIONS) as ground:
        redis = RedisConnection(ground.redis)
        await redis.start(PARTITIONS)
        agents = AgentsTable(ground.kafka, names=ground.names, codec=ground.codec)
        await agents.start()
        try:
            async with _live(ground, chosen, redis) as live:
                edge = _edge(ground, chosen, redis, agents, live)
                yield House(ground, edge, create_app(edge))
                edge.stopping.set()
        finally:
            await agents.stop()
            await redis.stop()


def _live(ground: Ground, chosen: ApiSettings, redis: RedisConnection) -> AbstractAsyncContextManager[Live]:
    return open_live(
        chosen,
        redis=redis,
        keys=EdgeKeys(redis),
        database=ground.database,
        web=Web(ground.database),
        codec=ground.codec,
        runs=TopicReader(ground.kafka, [ground.names.full(RUNS)]),
        partitions=PARTITIONS,
    )


def _edge(
    ground: Ground, chosen: ApiSettings, redis: RedisConnection, agents: AgentsTable, live: Live
) -> Edge:
    assert chosen.jwt_secret is not None
    health = Health()
    health.beat(Verdict(True))

    def reader(*specs: TopicSpec, start: Start = Start.END) -> TopicReader:
        return TopicReader(ground.kafka, [ground.names.full(spec) for spec in specs], start=start)

    return Edge(
        settings=chosen,
        tokens=Tokens(chosen, Secret(chosen.jwt_secret.get_secret_value().encode())),
        web=Web(ground.database),
        database=ground.database,
        redis=EdgeKeys(redis),
        feed=Feed(redis),
        publisher=ground.publisher,
        agents=agents,
        codec=ground.codec,
        names=ground.names,
        partitions=PARTITIONS,
        reader=reader,
        live=live,
        health=health,
    )
