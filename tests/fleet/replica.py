"""A process of the API as applications meet it: over HTTP, killed or stopped at any moment."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson

from api.auth.minting import mint
from api.settings import ApiSettings
from tests.fleet.fleet import Ground, plain_environment

SECRET = "a secret for replicas in tests, with more than enough bytes for HS256"
START_LIMIT_S = 60.0
STOP_LIMIT_S = 30.0
CALL_LIMIT_S = 60.0


@dataclass(frozen=True)
class Sent:
    """One event as a client gets it."""

    id: str
    name: str
    data: dict[str, Any]


@dataclass
class Replica:
    """One process that serves the API of a fleet."""

    process: asyncio.subprocess.Process
    port: int

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def client(self, user_id: str = "alice") -> AsyncGenerator[httpx.AsyncClient]:
        """Open a client of a user."""
        async with httpx.AsyncClient(
            base_url=self.url, headers=bearer(user_id), timeout=CALL_LIMIT_S
        ) as client:
            yield client

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()

    async def stop(self) -> None:
        """End it as a deployment does, within the limit."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise


@dataclass
class Watching:
    """A stream of events that is being read."""

    response: httpx.Response
    seen: list[Sent] = field(default_factory=list[Sent])

    async def events(self) -> AsyncIterator[Sent]:
        """Yield events until the stream ends."""
        fields: dict[str, str] = {}
        async for line in self.response.aiter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "event" in fields:
                event = Sent(fields["id"], fields["event"], orjson.loads(fields["data"]))
                fields = {}
                self.seen.append(event)
                yield event
            else:
                fields = {}


@asynccontextmanager
async def watching(
    client: httpx.AsyncClient, session_id: str, *, run_id: str | None = None, last: str | None = None
) -> AsyncGenerator[Watching]:
    """Open a stream of a session's events."""
    headers = {} if last is None else {"Last-Event-ID": last}
    params = {} if run_id is None else {"run_id": run_id}
    path = f"/chat-sessions/{session_id}/events"
    async with client.stream("GET", path, headers=headers, params=params) as response:
        assert response.status_code == httpx.codes.OK, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Watching(response)


async def watched(
    client: httpx.AsyncClient, session_id: str, *, run_id: str, last: str | None = None
) -> list[Sent]:
    """Return the events of a run up to its end."""
    async with (
        asyncio.timeout(CALL_LIMIT_S),
        watching(client, session_id, run_id=run_id, last=last) as stream,
    ):
        return [event async for event in stream.events()]


def bearer(user_id: str) -> dict[str, str]:
    """Return the header of a user of replicas."""
    settings = ApiSettings.model_validate({"dev": True, "jwt_secret": SECRET})
    token = mint(settings, user_id, now=datetime.now(UTC), lives=timedelta(hours=1))
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def replica(
    fleet: Ground, logs: Path, *, name: str, env: Mapping[str, str] | None = None
) -> AsyncGenerator[Replica]:
    """Run one process of the API until the context closes; its log is a file of that name in `logs`."""
    port = _free_port()
    own = {
        "MAESTRO_API_DEV": "true",
        "MAESTRO_API_PORT": str(port),
        "MAESTRO_API_JWT_SECRET": SECRET,
        "MAESTRO_API_RATE_LIMIT": "0",
        **(env or {}),
    }
    with (logs / f"{name}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "maestro", "api",
            env={**plain_environment(), **fleet.env, **own},
            cwd=Path(__file__).parents[2], stdout=log, stderr=log,
        )  # fmt: skip
    running = Replica(process, port)
    try:
        await _ready(running, logs / f"{name}.log")
        yield running
    finally:
        await running.stop()


async def _ready(running: Replica, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    async with httpx.AsyncClient(base_url=running.url) as client:
        while True:
            try:
                if (await client.get("/ready")).is_success:
                    return
            except httpx.TransportError:
                pass
            ended = running.process.returncode
            assert ended is None, f"the API ended with {ended}: {log.read_text()[-3000:]}"
            assert time.monotonic() < deadline, f"the API is not ready: {log.read_text()[-3000:]}"
            await asyncio.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
