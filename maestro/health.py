"""`/live`, `/ready` and `/metrics` of one process, served by a thread of its own.

The event loop cannot answer for itself: blocked, it would only let who asks wait.
"""

import asyncio
import json
import socket
import socketserver
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from maestro.process_settings import ProcessSettings
from schemas.errors import FatalError
from telemetry.health import Health, Verdict
from telemetry.metrics import IS_LIVE, IS_READY, LOOP_SILENT_SECONDS

_PULSE_EVERY_S = 0.5
_POLL_S = 0.2
"""How often the thread looks whether it shall end."""
_READ_LIMIT_S = 5.0
"""Who connects and asks nothing is not waited for longer."""

Answer = tuple[HTTPStatus, str, bytes]


class Seen:
    """What is to be seen of a process from outside. Its event loop writes, any thread may read."""

    def __init__(self) -> None:
        self._health = Health()

    def follow(self, health: Health) -> None:
        """Show this health from now on; until then the process is alive and starting."""
        self._health = health

    def pulse(self) -> None:
        """Note that the event loop goes round."""
        self._health.pulse()

    def answer(self, path: str, accept: str = "") -> Answer | None:
        """Return status, content type and body for a path; None for one that there is not."""
        match path.partition("?")[0]:
            case "/live":
                return _verdict(self._health.live())
            case "/ready":
                return _verdict(self._health.ready())
            case "/metrics":
                return self._metrics(accept)
            case _:
                return None

    def _metrics(self, accept: str) -> Answer:
        IS_LIVE.set(self._health.live().ok)
        IS_READY.set(self._health.ready().ok)
        LOOP_SILENT_SECONDS.set(self._health.silent_s)
        encode, content_type = choose_encoder(accept)
        return HTTPStatus.OK, content_type, encode(REGISTRY)


@asynccontextmanager
async def serving(settings: ProcessSettings) -> AsyncGenerator[Callable[[Health], None]]:
    """Serve the process while the context is open; nothing when the port is 0.

    Yields what to call with the program's health once it is built.

    Raises:
        FatalError: the address cannot be had.

    """
    seen = Seen()
    server = None if settings.health_port == 0 else _listening(seen, settings)
    pulse = asyncio.create_task(_beat(seen), name="pulse of the event loop")
    try:
        yield seen.follow
    finally:
        pulse.cancel()
        if server is not None:
            server.shutdown()
            server.server_close()


async def _beat(seen: Seen) -> None:
    while True:
        seen.pulse()
        await asyncio.sleep(_PULSE_EVERY_S)


class _Server(socketserver.ThreadingTCPServer):
    """A thread for each request: one that hangs keeps nobody else from an answer."""

    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: whoever asked went away before the answer."""


def _listening(seen: Seen, settings: ProcessSettings) -> _Server:
    address = (settings.health_host, settings.health_port)
    kind = type("Server", (_Server,), {"address_family": _family(settings.health_host)})
    handler = type("Handler", (_Handler,), {"seen": seen})
    try:
        server: _Server = kind(address, handler)
    except OSError as error:
        place = f"{settings.health_host}:{settings.health_port}"
        message = (
            f"cannot serve health and metrics on {place}: another process has it, or"
            f" the address is not of this machine ({error.strerror or error});"
            " change MAESTRO_HEALTH_HOST or MAESTRO_HEALTH_PORT"
        )
        raise FatalError(message) from error
    threading.Thread(target=server.serve_forever, args=(_POLL_S,), name="health", daemon=True).start()
    return server


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    seen: ClassVar[Seen]
    timeout = _READ_LIMIT_S
    server_version = "maestro"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer what is asked, or 404."""
        answer = self.seen.answer(self.path, self.headers.get("Accept") or "")
        if answer is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        status, content_type, body = answer
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        _ = self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Log nothing: probes come every few seconds."""


def _verdict(verdict: Verdict) -> Answer:
    body = json.dumps({"ok": verdict.ok, "reason": verdict.reason}).encode()
    status = HTTPStatus.OK if verdict.ok else HTTPStatus.SERVICE_UNAVAILABLE
    return status, "application/json", body
