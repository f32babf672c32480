"""Watches the embedded services of a dev: a dead one is started again, one that keeps dying stops all."""

import asyncio
import time
from typing import Final

from maestro.dev.breakage import GiveUp, after_death
from maestro.dev.errors import DevError
from maestro.dev.progress import Progress
from maestro.dev.state import Kind, PartState
from maestro.embedded.errors import EmbeddedError
from maestro.embedded.part import PartName
from maestro.embedded.restart import History
from maestro.embedded.stack import EmbeddedStack

POLL_S: Final = 0.5


class ServiceWatch:
    """The services of one stack, with how often each was restarted."""

    def __init__(self, stack: EmbeddedStack, external: frozenset[PartName], show: Progress) -> None:
        self._stack = stack
        self._external = external
        self._show = show
        self._history = dict.fromkeys(PartName, History())
        self._state = {part: "external" if part in external else "ready" for part in PartName}

    async def run(self) -> None:
        """Watch until cancelled. Raises an exception group of DevError when a service cannot be kept."""
        async with asyncio.TaskGroup() as group:
            for part in PartName:
                if part not in self._external:
                    _ = group.create_task(self._keep(part))

    def states(self) -> tuple[PartState, ...]:
        """Return every service as it is now."""
        pids = self._stack.pids()
        return tuple(self._state_of(part, pids.get(part)) for part in PartName)

    def _state_of(self, part: PartName, pid: int | None) -> PartState:
        if part in self._external:
            return PartState(name=part, kind=Kind.SERVICE, state="external")
        return PartState(
            name=part,
            kind=Kind.SERVICE,
            state=self._state[part],
            pid=pid,
            port=self._stack.folder.state.ports[part],
            restarts=self._history[part].restarts,
            log=str(self._stack.folder.logs / f"{part}.log"),
        )

    async def _keep(self, part: PartName) -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(POLL_S)
            if part not in self._stack.dead_parts():
                continue
            verdict = after_death(self._history[part], ran_s=time.monotonic() - began)
            self._history[part] = verdict.history
            if isinstance(verdict, GiveUp):
                raise DevError(self._why_given_up(part, verdict.history.failures))
            self._state[part] = "restarting"
            self._show.event(f"{part} has ended; starting it again in {verdict.delay_s:.1f} s")
            await asyncio.sleep(verdict.delay_s)
            began = time.monotonic()
            await self._start(part)

    async def _start(self, part: PartName) -> None:
        try:
            await self._stack.start_part(part)
        except EmbeddedError as error:
            self._show.event(f"{part} did not start: {error}")
            await self._stack.stop_part(part)  # it may hang half-started: then it counts as dead
        else:
            self._state[part] = "ready"
            self._show.event(f"{part} is ready again")

    def _why_given_up(self, part: PartName, times: int) -> str:
        return (
            f"{part} ended {times} times in a row; everything is stopped."
            f" The reason is in {self._stack.folder.logs / f'{part}.log'}."
        )
