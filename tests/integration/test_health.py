"""`/live`, `/ready` and `/metrics` over HTTP on the loopback: what supervisors and scrapers see."""

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from maestro.health import serving
from maestro.process_settings import ProcessSettings
from schemas.errors import FatalError
from telemetry.health import Health, Verdict

LOOPBACK = "127.0.0.1"
DEADLINE_S = 10.0


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        return taken.getsockname()[1]


@asynccontextmanager
async def served(health: Health | None) -> AsyncGenerator[httpx.AsyncClient]:
    port = free_port()
    settings = ProcessSettings(health_host=LOOPBACK, health_port=port)
    url = f"http://{LOOPBACK}:{port}"
    async with serving(settings) as follow, httpx.AsyncClient(base_url=url, timeout=DEADLINE_S) as client:
        if health is not None:
            follow(health)
        yield client


def working() -> Health:
    """A process that does its work."""
    health = Health()
    health.beat(Verdict(True))
    return health


async def test_a_healthy_process_answers_200_to_both() -> None:
    async with served(working()) as client:
        for path in ("/live", "/ready", "/ready?verbose"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()) == (200, {"ok": True, "reason": ""})
            assert answer.headers["content-type"] == "application/json"


async def test_a_process_that_still_connects_is_live_and_not_ready() -> None:
    async with served(None) as client:
        assert (await client.get("/live")).status_code == 200
        answer = await client.get("/ready")
        assert (answer.status_code, answer.json()) == (503, {"ok": False, "reason": "starting"})


async def test_the_answer_follows_the_state_and_says_why() -> None:
    health = working()
    said: list[str | None] = [None]
    health.also(lambda: said[0])
    async with served(health) as client:
        assert (await client.get("/ready")).status_code == 200
        said[0] = "PostgreSQL: no answer within 3 s"
        answer = await client.get("/ready")
        assert (answer.status_code, answer.json()["reason"]) == (503, "PostgreSQL: no answer within 3 s")
        assert (await client.get("/live")).status_code == 200
        health.drain()
        assert (await client.get("/ready")).json()["reason"] == "draining"
        health.fail("out of the group")
        answer = await client.get("/live")
        assert (answer.status_code, answer.json()["reason"]) == (503, "out of the group")


@dataclass
class Asker:
    """A thread that asks while the event loop of the test is blocked, until the answer is no."""

    port: int
    asked: list[int] = field(default_factory=list[int])
    reason: str = ""

    def run(self) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=DEADLINE_S)
            connection.request("GET", "/live")
            answer = connection.getresponse()
            self.asked.append(answer.status)
            self.reason = json.loads(answer.read())["reason"]
            connection.close()
            if answer.status != 200:
                return


async def test_a_blocked_event_loop_makes_live_fail_and_not_hang() -> None:
    settings = ProcessSettings(health_host=LOOPBACK, health_port=free_port())
    health = Health(stall_limit_s=0.2)
    health.beat(Verdict(True))
    asker = Asker(settings.health_port)
    thread = threading.Thread(target=asker.run, daemon=True)
    async with serving(settings) as follow:
        follow(health)
        thread.start()
        thread.join(DEADLINE_S)  # this blocks the event loop
    assert asker.asked[-1] == 503
    assert "the event loop has been blocked" in asker.reason


async def test_who_connects_and_asks_nothing_keeps_nobody_from_an_answer() -> None:
    async with served(working()) as client:
        port = client.base_url.port
        assert port is not None
        _, silent = await asyncio.open_connection(LOOPBACK, port)
        assert (await client.get("/live")).status_code == 200
        silent.close()


async def test_metrics_are_served_in_the_form_of_prometheus() -> None:
    health = working()
    async with served(health) as client:
        answer = await client.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")
        lines = answer.text.splitlines()
        assert {"maestro_live 1.0", "maestro_ready 1.0"} <= set(lines)
        assert any(line.startswith("process_resident_memory_bytes ") for line in lines)
        health.drain()
        assert "maestro_ready 0.0" in (await client.get("/metrics")).text.splitlines()


async def test_other_paths_are_not_found() -> None:
    async with served(working()) as client:
        assert (await client.get("/")).status_code == 404
        assert (await client.post("/live")).status_code == 501


async def test_the_port_is_free_again_afterwards() -> None:
    async with served(working()) as client:
        url = client.base_url
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient(timeout=5) as client:
            _ = await client.get(url)


async def test_port_0_serves_nothing() -> None:
    async with serving(ProcessSettings(health_port=0)) as follow:
        follow(Health())


async def test_a_port_that_is_taken_is_told_with_the_setting_to_change() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = ProcessSettings(health_host=LOOPBACK, health_port=port)
        with pytest.raises(FatalError, match=f"{LOOPBACK}:{port}: another process .*MAESTRO_HEALTH_PORT"):
            async with serving(settings):
                pass
