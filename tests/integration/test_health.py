"""`/live` and `/ready` over HTTP on the loopback: what supervisors and load balancers see."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from maestro.health import serving
from maestro.process_settings import ProcessSettings
from schemas.errors import FatalError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class FakeVerdict:
    """An answer."""

    ok: bool = True
    reason: str = ""


@dataclass
class FakeHealth:
    """A program whose state the test sets."""

    alive: FakeVerdict = field(default_factory=FakeVerdict)
    working: FakeVerdict = field(default_factory=FakeVerdict)

    def live(self) -> FakeVerdict:
        return self.alive

    def ready(self) -> FakeVerdict:
        return self.working


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        return taken.getsockname()[1]


@asynccontextmanager
async def served(health: FakeHealth) -> AsyncGenerator[httpx.AsyncClient]:
    port = free_port()
    settings = ProcessSettings(health_host=LOOPBACK, health_port=port)
    url = f"http://{LOOPBACK}:{port}"
    async with serving(health, settings), httpx.AsyncClient(base_url=url, timeout=5) as client:
        yield client


async def test_a_healthy_process_answers_200_to_both() -> None:
    async with served(FakeHealth()) as client:
        for path in ("/live", "/ready"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()) == (200, {"ok": True, "reason": ""})


async def test_a_process_that_does_not_work_yet_is_live_but_not_ready_and_says_why() -> None:
    health = FakeHealth(working=FakeVerdict(ok=False, reason="waits for Kafka"))
    async with served(health) as client:
        assert (await client.get("/live")).status_code == 200
        answer = await client.get("/ready")
        assert (answer.status_code, answer.json()) == (503, {"ok": False, "reason": "waits for Kafka"})


async def test_the_answer_follows_the_state() -> None:
    health = FakeHealth()
    async with served(health) as client:
        assert (await client.get("/live")).status_code == 200
        health.alive = FakeVerdict(ok=False, reason="stuck")
        assert (await client.get("/live")).status_code == 503


async def test_other_paths_are_not_found() -> None:
    async with served(FakeHealth()) as client:
        assert (await client.get("/")).status_code == 404


async def test_the_port_is_free_again_afterwards() -> None:
    async with served(FakeHealth()) as client:
        url = client.base_url
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient(timeout=5) as client:
            _ = await client.get(url)


async def test_port_0_serves_nothing() -> None:
    async with serving(FakeHealth(), ProcessSettings(health_port=0)):
        pass


async def test_a_port_that_is_taken_is_told_with_the_setting_to_change() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = ProcessSettings(health_host=LOOPBACK, health_port=port)
        with pytest.raises(FatalError, match=f"{LOOPBACK}:{port} .*MAESTRO_HEALTH_PORT"):
            async with serving(FakeHealth(), settings):
                pass
