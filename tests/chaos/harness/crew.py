"""The processes of all roles: started, killed, frozen, stopped, and started again as a supervisor would."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from maestro.embedded.keeper import answers_ok
from maestro.embedded.ports import HeldPorts
from maestro.embedded.process import ChildProcess, ProcessSpec
from maestro.embedded.restart import FIRST_DELAY_S
from tests.chaos.harness.parking import NAME, SOCKET
from tests.chaos.harness.program import GROUP
from tests.fleet.fleet import Ground, plain_environment

ROOT = Path(__file__).parents[3]
PROGRAM = (sys.executable, "-m", "tests.chaos.harness.program")
ROLES: Mapping[str, tuple[str, ...]] = {
    "session": ("worker", "session"),
    "generate": ("worker", "generate"),
    "execute": ("worker", "execute"),
    "sink": ("sink", "postgres"),
    "embeddings": ("sink", "embeddings"),
    "recents": ("sink", "recents"),
}
READY_S = 120.0
STOP_S = 45.0
_POLL_S = 0.1


@dataclass(slots=True)
class Member:
    """One process of a role."""

    name: str
    role: str
    port: int
    child: ChildProcess
    is_wanted: bool = True
    restarts: int = 0


class Crew:
    """Keeps every wanted process running. `fell` names those that ended by themselves, and their codes."""

    def __init__(self, ground: Ground, folder: Path, *, socket: Path, model_root: str, static: bool) -> None:
        self._ground = ground
        self._folder = folder
        self._socket = socket
        self._model_root = model_root
        self._static = static
        self._ports = HeldPorts()
        self.members: dict[str, Member] = {}
        self.fell: list[tuple[str, int | None]] = []

    def add(self, role: str, number: int, *, group: str = "") -> str:
        """Start one more process of a role and return its name; `group` sets its consumer group apart."""
        name = f"{role}-{number}{group}"
        port = self._ports.pick()
        member = Member(name, role, port, ChildProcess(self._spec(name, role, port, group)))
        self.members[name] = member
        member.child.start()
        return name

    def of(self, role: str) -> list[str]:
        """Return the names of a role's processes that shall run."""
        return [each.name for each in self.members.values() if each.role == role and each.is_wanted]

    async def ready(self, names: Collection[str] | None = None, *, within_s: float = READY_S) -> None:
        """Return when these processes, or all, are ready. Raises AssertionError when one is not in time."""
        deadline = time.monotonic() + within_s
        for name in sorted(self.members if names is None else names):
            member = self.members[name]
            while member.is_wanted and not (
                member.child.is_running and await answers_ok(member.port, "/ready")
            ):
                assert time.monotonic() < deadline, (
                    f"{name} was not ready within {within_s:.0f} s:\n{member.child.log_tail(1500)}"
                )
                await asyncio.sleep(_POLL_S)

    def start(self, name: str) -> None:
        """Start a process that was stopped."""
        self._start_again(self.members[name])

    async def kill(self, name: str) -> float:
        """Kill a process as a crash would, and start it again after a supervisor's pause.

        Returns the moment at which it was gone, wall clock seconds: until then it may have begun more work.
        """
        member = self.members[name]
        member.is_wanted = False
        await member.child.kill()
        gone_at = time.time()
        await asyncio.sleep(FIRST_DELAY_S)
        self._start_again(member)
        return gone_at

    async def stop(self, name: str, *, again: bool) -> int | None:
        """Stop a process with SIGTERM and return its exit code; `again`: start it afterwards."""
        member = self.members[name]
        member.is_wanted = False
        await member.child.stop(STOP_S)
        code = member.child.returncode
        if again:
            self._start_again(member)
        return code

    def freeze(self, name: str) -> None:
        """Stop the clock of a process (SIGSTOP)."""
        self.members[name].child.send(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let it run on (SIGCONT)."""
        self.members[name].child.send(signal.SIGCONT)

    async def tend(self) -> None:
        """Start again whatever ends by itself, until cancelled."""
        while True:
            for member in self.members.values():
                if member.is_wanted and not member.child.is_running:
                    self.fell.append((member.name, member.child.returncode))
                    member.is_wanted = False
                    await asyncio.sleep(FIRST_DELAY_S)
                    self._start_again(member)
            await asyncio.sleep(_POLL_S)

    async def end(self) -> None:
        """Stop everything."""
        running = [member.child for member in self.members.values()]
        for member in self.members.values():
            member.is_wanted = False
            self.thaw(member.name)
        async with asyncio.TaskGroup() as group:
            for child in running:
                group.create_task(child.stop(10.0))
        self._ports.release()

    def _start_again(self, member: Member) -> None:
        member.is_wanted = True
        member.restarts += 1
        member.child.start()

    def _spec(self, name: str, role: str, port: int, group: str) -> ProcessSpec:
        prefix = self._ground.env["MAESTRO_TOPIC_PREFIX"]
        return ProcessSpec(
            name=name,
            argv=(*PROGRAM, *ROLES[role]),
            log=self._folder / "logs" / f"{name}.log",
            cwd=ROOT,
            death_signal=signal.SIGKILL,
            env={
                **plain_environment(),
                **self._ground.env,
                **({"MAESTRO_STATIC_NAME": f"{prefix}{name}"} if self._static else {}),
                "MAESTRO_HEALTH_PORT": str(port),
                "MAESTRO_MODEL_BASE_URL": f"{self._model_root}/{name}/v1",
                "MAESTRO_MODEL_API_KEY": "none",
                SOCKET: str(self._socket),
                NAME: name,
                GROUP: group,
            },
        )


@asynccontextmanager
async def running_crew(
    ground: Ground, folder: Path, *, socket: Path, model_root: str, static: bool, workers: int
) -> AsyncGenerator[Crew]:
    """Run `workers` processes of each role that works, one of each sink, until the context closes."""
    crew = Crew(ground, folder, socket=socket, model_root=model_root, static=static)
    for role, arguments in ROLES.items():
        for number in range(1, (workers if arguments[0] == "worker" else 1) + 1):
            crew.add(role, number)
    tending = asyncio.create_task(crew.tend(), name="crew")
    try:
        await crew.ready(within_s=90)
        yield crew
    finally:
        tending.cancel()
        await asyncio.wait([tending])
        await crew.end()
