"""The port of an embedded service: what the stack needs to know to start, ask and stop one."""

import asyncio
import contextlib
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from maestro.embedded.ports import LOOPBACK
from maestro.embedded.process import ProcessSpec

Say = Callable[[str], None]
ASK_TIMEOUT_S = 2.0
# Small: nobody needs the words of the user's environment in a server, and some of them change its behaviour.
PLAIN_ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}


class PartName(StrEnum):
    """The embedded services."""

    KAFKA = "kafka"
    POSTGRES = "postgres"
    REDIS = "redis"


class Part(Protocol):
    """One embedded service."""

    @property
    def name(self) -> PartName:
        """Which one it is."""
        ...

    @property
    def spec(self) -> ProcessSpec:
        """What to start."""
        ...

    @property
    def ready_within_s(self) -> float:
        """How long its start may take on a loaded machine."""
        ...

    @property
    def stop_grace_s(self) -> float:
        """How long its orderly stop may take."""
        ...

    async def prepare(self, say: Say) -> None:
        """Bring its data folder into shape; quick when it is."""
        ...

    async def is_ready(self) -> bool:
        """Tell whether it answers requests."""
        ...


async def ask(port: int, request: bytes, answer_size: int) -> bytes:
    """Send bytes to a port of the loopback address and return the first bytes of the answer.

    Returns nothing when there was no answer in time.
    """
    try:
        async with asyncio.timeout(ASK_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(request)
                await writer.drain()
                return await reader.readexactly(answer_size)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return b""
