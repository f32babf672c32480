"""`/live` and `/ready` of one process over HTTP: 200 or 503, with the reason as JSON."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web

from maestro.process_settings import ProcessSettings
from schemas.errors import FatalError


class Verdict(Protocol):
    """A yes or no, and why not."""

    @property
    def ok(self) -> bool:
        """Whether the answer is yes."""
        ...

    @property
    def reason(self) -> str:
        """Why not, in a sentence; empty when ok."""
        ...


class Health(Protocol):
    """What a program knows of its own state."""

    def live(self) -> Verdict:
        """Whether the process makes progress; a supervisor restarts it when not."""
        ...

    def ready(self) -> Verdict:
        """Whether the process does its work right now."""
        ...


@asynccontextmanager
async def serving(health: Health, settings: ProcessSettings) -> AsyncGenerator[None]:
    """Serve `/live` and `/ready` while the context is open; nothing when the port is 0.

    Raises:
        FatalError: the address cannot be had.

    """
    if settings.health_port == 0:
        yield
        return

    async def live(_: web.Request) -> web.Response:
        return _answer(health.live())

    async def ready(_: web.Request) -> web.Response:
        return _answer(health.ready())

    application = web.Application()
    application.router.add_get("/live", live)
    application.router.add_get("/ready", ready)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await _listen(runner, settings)
        yield
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, settings: ProcessSettings) -> None:
    try:
        await web.TCPSite(runner, settings.health_host, settings.health_port).start()
    except OSError as error:
        address = f"{settings.health_host}:{settings.health_port}"
        message = (
            f"cannot serve health on {address} ({error.strerror or error});"
            " change MAESTRO_HEALTH_HOST or MAESTRO_HEALTH_PORT"
        )
        raise FatalError(message) from error


def _answer(verdict: Verdict) -> web.Response:
    body = {"ok": verdict.ok, "reason": verdict.reason}
    return web.json_response(body, status=200 if verdict.ok else 503)
