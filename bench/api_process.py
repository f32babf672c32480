"""One process of the API for a benchmark, and the tokens that it takes."""

import asyncio
import secrets
import socket
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx

from api.auth.minting import mint
from api.settings import ApiSettings
from bench.children import children

USER = "bench"
_START_LIMIT_S = 90.0
_LIVES = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class ApiUnderTest:
    """Where the process is, and the header that its user's calls carry."""

    port: int
    headers: Mapping[str, str]
    pid: int

    def client(self) -> httpx.AsyncClient:
        """Return a client with connections of its own."""
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}", headers=dict(self.headers), timeout=60
        )


@asynccontextmanager
async def api_under_test(
    env: Mapping[str, str], pids: dict[str, int], logs: str, *, user: str = USER
) -> AsyncGenerator[ApiUnderTest]:
    """Run `maestro api` while the context is open; `pids` gets it as `api`. Its calls are those of `user`."""
    secret = secrets.token_urlsafe(48)
    port = _free_port()
    own = {
        **env,
        "MAESTRO_API_DEV": "true",
        "MAESTRO_API_JWT_SECRET": secret,
        "MAESTRO_API_PORT": str(port),
        "MAESTRO_API_RATE_LIMIT": "1000000",
        "MAESTRO_API_RUNNING_RUNS": "1000",
    }
    settings = ApiSettings.model_validate({"dev": True, "jwt_secret": secret})
    token = mint(settings, user, now=datetime.now(UTC), lives=_LIVES)
    commands = {"api": (sys.executable, "-m", "maestro", "api")}
    async with children(commands, env=own, logs=logs, pids=pids, says=None):
        under_test = ApiUnderTest(port, {"Authorization": f"Bearer {token}"}, pids["api"])
        await _ready(under_test)
        yield under_test


async def _ready(under_test: ApiUnderTest) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    async with under_test.client() as client:
        while time.monotonic() < deadline:
            try:
                if (await client.get("/ready")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.2)
    message = "the API was not ready in time; see its log"
    raise TimeoutError(message)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
