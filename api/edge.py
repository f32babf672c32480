"""Everything a route needs: one per process, in `app.state.edge`."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from api.auth.tokens import Tokens
from api.live import Live
from api.settings import ApiSettings
from bus.agents_table import AgentsTable
from bus.codec import Codec
from bus.names import TopicNames
from bus.publisher import Publisher
from bus.reader import TopicReader
from stores.postgres.pool import Database
from stores.postgres.web import Web
from stores.redis.edge import EdgeKeys
from stores.redis.feed import Feed
from telemetry.health import Health
from telemetry.tracing import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The settings and the open clients of one process that serves the API."""

    settings: ApiSettings
    tokens: Tokens
    web: Web
    """The record, as its owner may see it."""
    database: Database
    redis: EdgeKeys
    """What replicas share: rates, running runs, keys of requests, own writes."""
    feed: Feed
    """The live feeds of sessions."""
    publisher: Publisher
    agents: AgentsTable
    codec: Codec
    names: TopicNames
    partitions: int
    """Partitions of every topic."""
    reader: Callable[..., TopicReader]
    """Makes a reader of topics: `reader(RUNS, start=Start.END)`, to be used with `async with`."""
    live: Live
    """What routes wait on: ends of runs, and events."""
    health: Health = field(default_factory=Health)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process shall end: streams and waits end then, so that their callers go elsewhere."""


# Not a plain function, as nothing that routes depend on may be: those are called in another thread.
async def edge_of(request: Request) -> Edge:
    """Return the edge of the process that serves the request."""
    edge: Edge = request.app.state.edge
    return edge


async def trace_of(request: Request) -> Trace:
    """Return the trace that the request belongs to: the caller's where it names one, else a new one."""
    trace: Trace = request.state.trace
    return trace


EdgeIs = Annotated[Edge, Depends(edge_of)]
TraceIs = Annotated[Trace, Depends(trace_of)]
