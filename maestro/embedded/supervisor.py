"""Runs the roles as child processes: starts, watches, restarts and stops them."""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from maestro.embedded.errors import PartFailedError
from maestro.embedded.folder import DataFolder
from maestro.embedded.keeper import Keeper, Progress, RoleSpec, RoleState
from maestro.embedded.ports import HeldPorts
from maestro.embedded.process import ChildProcess, ProcessSpec, end_leftover

LEFTOVER_WAIT_S = 15.0
END_POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleStatus:
    """One role as it is now."""

    name: str
    state: RoleState
    pid: int | None
    health_port: int
    restarts: int
    log: str


def silent(role: str, line: str) -> None:
    """Report no progress."""


class Supervisor:
    """Keeps roles running. Use it from the main thread: they end when the thread that started them ends.

    `env` is the whole environment that the roles get, besides their name and health port.
    """

    def __init__(
        self,
        roles: Sequence[RoleSpec],
        *,
        folder: DataFolder,
        env: Mapping[str, str],
        progress: Progress = silent,
        program: tuple[str, ...] = (sys.executable, "-m", "maestro"),
        stop_grace_s: float = 40.0,
    ) -> None:
        self._roles = tuple(roles)
        self._folder = folder
        self._env = dict(env)
        self._progress = progress
        self._program = program
        self._stop_grace_s = stop_grace_s
        self._keepers: dict[str, Keeper] = {}
        self._ports = HeldPorts()
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start all roles; returns before they are ready."""
        for role in self._roles:
            await end_leftover(self._folder.pids / f"role-{role.name}", LEFTOVER_WAIT_S)
        ports = self._health_ports()
        for role in self._roles:
            child = ChildProcess(self._spec(role, ports[role.name]))
            self._keepers[role.name] = Keeper(role, child, ports[role.name], self._progress)
        self._running = asyncio.create_task(self._keep_all(), name="supervisor")

    async def wait_ready(self, within_s: float) -> None:
        """Return when every role is ready. Raises PartFailedError when one failed or they took too long."""
        deadline = time.monotonic() + within_s
        while waiting := [k for k in self._keepers.values() if k.state is not RoleState.READY]:
            for keeper in waiting:
                if keeper.state is RoleState.FAILED:
                    raise PartFailedError(
                        keeper.role.name, "has settings that do not fit", keeper.child.log_tail()
                    )
            if time.monotonic() > deadline:
                late = waiting[0]
                raise PartFailedError(
                    late.role.name, f"was not ready within {within_s:.0f} s", late.child.log_tail()
                )
            await asyncio.sleep(END_POLL_S)

    async def stop(self) -> None:
        """Stop all roles at once: SIGTERM, a wait for what they have in hand, SIGKILL."""
        async with asyncio.TaskGroup() as group:
            for keeper in self._keepers.values():
                group.create_task(keeper.stop(self._stop_grace_s))
        if self._running is not None:
            await self._running
            self._running = None
        for keeper in self._keepers.values():
            if keeper.child.spec.pid_file is not None:
                keeper.child.spec.pid_file.unlink(missing_ok=True)
        self._ports.release()

    async def kill(self, name: str) -> None:
        """Kill one role as a crash would; it is started again."""
        await self._keepers[name].child.kill()

    def statuses(self) -> tuple[RoleStatus, ...]:
        """Return every role as it is now."""
        return tuple(
            RoleStatus(
                name=keeper.role.name,
                state=keeper.state,
                pid=keeper.child.pid if keeper.child.is_running else None,
                health_port=keeper.port,
                restarts=keeper.history.restarts,
                log=str(keeper.child.spec.log),
            )
            for keeper in self._keepers.values()
        )

    async def __aenter__(self) -> Self:
        """Start them."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop them."""
        await self.stop()

    async def _keep_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for keeper in self._keepers.values():
                group.create_task(keeper.keep())

    def _health_ports(self) -> dict[str, int]:
        """Return each role's health port, the same as last time where it can be had."""
        state = self._folder.state
        ports = self._ports.assign([f"role-{role.name}" for role in self._roles], state.ports)
        self._folder.save(replace(state, ports=ports))
        return {role.name: ports[f"role-{role.name}"] for role in self._roles}

    def _spec(self, role: RoleSpec, port: int) -> ProcessSpec:
        # Two processes with one static name would evict each other for ever: the folder's id is in it.
        static_name = f"{self._folder.state.cluster_id[:8]}-{role.name}"
        return ProcessSpec(
            name=role.name,
            argv=(*self._program, *role.arguments),
            log=self._folder.logs / f"{role.name}.log",
            env={
                **self._env,
                **role.env,
                "MAESTRO_STATIC_NAME": static_name,
                "MAESTRO_HEALTH_PORT": str(port),
            },
            pid_file=self._folder.pids / f"role-{role.name}",
        )
