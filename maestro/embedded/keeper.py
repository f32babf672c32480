"""Keeps one role running: starts it, watches its health, starts it again."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from maestro.embedded.part import ask
from maestro.embedded.process import ChildProcess
from maestro.embedded.restart import History, after_end, is_worth_restarting, restart_delay_s

STARTING_POLL_S = 0.2
WATCH_POLL_S = 2.0
END_POLL_S = 0.1
LIVE_MISSES = 10  # of WATCH_POLL_S each: a loaded machine may be late, a stuck process stays late
STATUS_LINE_SIZE = len("HTTP/1.0 200")

Progress = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSpec:
    """One process to keep running: `maestro ARGUMENTS`. The name is unique and stays over restarts."""

    name: str
    arguments: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict[str, str])


class RoleState(StrEnum):
    """What a role is doing."""

    STARTING = "starting"
    READY = "ready"
    NOT_READY = "not ready"
    WAITING = "waiting to be restarted"
    FAILED = "failed"
    STOPPED = "stopped"


async def answers_ok(port: int, path: str) -> bool:
    """Tell whether the process on the port of the loopback address answers 200 for the path."""
    line = await ask(port, f"GET {path} HTTP/1.0\r\n\r\n".encode(), STATUS_LINE_SIZE)
    return line.endswith(b" 200")


class Keeper:
    """Keeps one role running until told to stop."""

    def __init__(self, role: RoleSpec, child: ChildProcess, port: int, progress: Progress) -> None:
        self.role = role
        self.child = child
        self.port = port
        self.state = RoleState.STOPPED
        self.history = History()
        self._progress = progress
        self._stopping = asyncio.Event()

    async def keep(self) -> None:
        """Start the role, and start it again whenever it ended."""
        while not self._stopping.is_set():
            began = time.monotonic()
            self._turn(RoleState.STARTING)
            self.child.start()
            await self._watch()
            if self._stopping.is_set():
                return
            code = self.child.returncode
            if not is_worth_restarting(code):
                self._turn(RoleState.FAILED, f"its settings do not fit; see {self.child.spec.log}")
                return
            self.history = after_end(self.history, ran_s=time.monotonic() - began)
            delay_s = restart_delay_s(self.history)
            self._turn(RoleState.WAITING, f"ended with exit code {code}; starting again in {delay_s:.1f} s")
            await self._rest(delay_s)

    async def stop(self, grace_s: float) -> None:
        """Stop the role in an orderly way, by force after so many seconds."""
        self._stopping.set()
        await self.child.stop(grace_s)
        self.state = RoleState.STOPPED

    async def _watch(self) -> None:
        misses = 0
        while self.child.is_running and not self._stopping.is_set():
            is_ready = await answers_ok(self.port, "/ready")
            if is_ready:
                self._turn(RoleState.READY)
            elif self.state is RoleState.READY:
                self._turn(RoleState.NOT_READY)
            if self.state is RoleState.STARTING:
                await self._rest(STARTING_POLL_S)
                continue
            misses = 0 if is_ready or await answers_ok(self.port, "/live") else misses + 1
            if misses >= LIVE_MISSES:
                self._progress(self.role.name, "does not answer any more; killing it")
                await self.child.kill()
            await self._rest(WATCH_POLL_S)

    async def _rest(self, seconds: float) -> None:
        """Wait so long, less when the role ends or is to stop."""
        deadline = time.monotonic() + seconds
        was_running = self.child.is_running
        while (left := deadline - time.monotonic()) > 0 and self.child.is_running == was_running:
            try:
                async with asyncio.timeout(min(left, END_POLL_S)):
                    await self._stopping.wait()
            except TimeoutError:
                continue
            return

    def _turn(self, state: RoleState, detail: str = "") -> None:
        if state is not self.state:
            self.state = state
            self._progress(self.role.name, detail or str(state))
