"""The harness' side of the handshake: asks processes to park at a point, and hears which one did."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A process that stands at a point. `step` and `session` are what it works at, where that is known."""

    name: str
    pid: int
    point: str
    session: str | None = None
    step: str | None = None


@dataclass(slots=True)
class _Wish:
    names: frozenset[str]
    left: int
    came: asyncio.Future[Parked]


@dataclass(slots=True)
class Gate:
    """Knows the connected processes by name. One wish for a point at a time."""

    path: Path
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)
    _writers: dict[str, asyncio.StreamWriter] = field(default_factory=dict[str, asyncio.StreamWriter])
    _pids: dict[str, int] = field(default_factory=dict[str, int])
    _wishes: dict[str, _Wish] = field(default_factory=dict[str, _Wish])
    _held: dict[tuple[str, str], asyncio.Event] = field(default_factory=dict[tuple[str, str], asyncio.Event])

    async def park(self, names: Collection[str], point: str, *, nth: int, within_s: float) -> Parked | None:
        """Return the first of the processes that stands at the point on its `nth` pass; None: none came."""
        wish = _Wish(frozenset(names), nth, asyncio.get_running_loop().create_future())
        self._wishes[point] = wish
        for name in wish.names:
            self._tell(name, park=point, nth=nth)
        try:
            async with asyncio.timeout(within_s):
                return await wish.came
        except TimeoutError:
            return None
        finally:
            del self._wishes[point]
            for name in wish.names:
                self._tell(name, forget=point)

    async def connected(self, name: str) -> None:
        """Return when the process has said who it is."""
        async with self._came:
            await self._came.wait_for(lambda: name in self._writers)

    def release(self, parked: Parked) -> None:
        """Let the process go on."""
        self._tell(parked.name, go=parked.point)
        if (held := self._held.pop((parked.name, parked.point), None)) is not None:
            held.set()

    def close(self) -> None:
        """Hang up on everybody."""
        for writer in list(self._writers.values()):
            writer.close()

    async def hold(self, name: str, point: str, *, session: str | None, step: str | None) -> None:
        """Park on behalf of a process that waits for us right now, such as a caller of our model."""
        wish = self._wishes.get(point)
        if wish is None or name not in wish.names or wish.came.done():
            return
        wish.left -= 1
        if wish.left > 0:
            return
        held = self._held[name, point] = asyncio.Event()
        wish.came.set_result(Parked(name=name, pid=self._pids[name], point=point, session=session, step=step))
        await held.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hear one process until it ends."""
        name = ""
        try:
            async for line in reader:
                words: dict[str, Any] = json.loads(line)
                if "name" in words:
                    name = words["name"]
                    self._writers[name], self._pids[name] = writer, words["pid"]
                    async with self._came:
                        self._came.notify_all()
                    for point, wish in self._wishes.items():
                        if name in wish.names:
                            self._tell(name, park=point, nth=1)
                else:
                    self._parked(name, words)
        except (ConnectionError, asyncio.CancelledError):
            pass  # it was killed, or the harness ends
        finally:
            if self._writers.get(name) is writer:
                del self._writers[name]
            writer.close()

    def _parked(self, name: str, words: dict[str, Any]) -> None:
        parked = Parked(
            name=name,
            pid=self._pids[name],
            point=words["parked"],
            session=words["session"],
            step=words["step"],
        )
        wish = self._wishes.get(parked.point)
        if wish is not None and not wish.came.done():
            wish.came.set_result(parked)
        else:
            self.release(parked)  # another one was faster, or it came too late

    def _tell(self, name: str, **words: object) -> None:
        writer = self._writers.get(name)
        if writer is not None and not writer.is_closing():
            with contextlib.suppress(ConnectionError):
                writer.write(json.dumps(words).encode() + b"\n")


@asynccontextmanager
async def open_gate(path: Path) -> AsyncGenerator[Gate]:
    """Listen on a Unix socket until the context closes."""
    gate = Gate(path)
    server = await asyncio.start_unix_server(gate.serve, path)
    try:
        yield gate
    finally:
        server.close()
        gate.close()
