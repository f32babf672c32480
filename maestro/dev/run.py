"""The life of one dev: start everything, say so, keep it running, stop it in order."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, cast

from rich.console import Console

from api.settings import ApiSettings
from maestro.dev import api_role
from maestro.dev.environment import external_services, for_children, publish
from maestro.dev.errors import DevError
from maestro.dev.prepare import Preparation
from maestro.dev.progress import Plain, Progress, showing
from maestro.dev.question import PROGRAM
from maestro.dev.roles import names_of, role_specs
from maestro.dev.services import ServiceWatch
from maestro.dev.state import DevState, Kind, PartState, Phase, forget, write
from maestro.embedded.errors import EmbeddedError
from maestro.embedded.keeper import RoleState
from maestro.embedded.ports import LOOPBACK
from maestro.embedded.settings import EmbeddedSettings
from maestro.embedded.stack import EmbeddedStack
from maestro.embedded.supervisor import Supervisor
from maestro.settings import load
from schemas.errors import MaestroError

ROLES_READY_WITHIN_S: Final = 120.0
ROLE_GRACE_S: Final = 20.0
STATE_EVERY_S: Final = 0.5
STARTED_MARK: Final = "started-before"
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EXIT_STOPPED: Final = 0
EXIT_INTERRUPTED: Final = 130
"""As a shell has it: a signal came before it was up."""

Front = Callable[[bool], Awaitable[int]]
"""What a person sees of a dev that is up: takes whether this is the first start, returns the exit code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to start, and where its data is."""

    root: Path
    workers: int = 1


class Dev:
    """One dev from its start to its end."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._events = Plain(console)
        self._phase = Phase.STARTING
        self._was_up = False
        self._urls: dict[str, str] = {}
        external = external_services()
        self._external = external
        settings = EmbeddedSettings().model_copy(update={"data_dir": plan.root})
        self._stack = EmbeddedStack(settings, external=external)
        self._api_ports = api_role.ApiPorts(self._stack.folder)
        self._services: ServiceWatch | None = None
        self._supervisor: Supervisor | None = None
        self._written: DevState | None = None

    async def run(self, front: Front) -> int:
        """Start everything, run `front` beside it, stop everything when that ends or a signal comes.

        Raises DevError when it cannot be started or kept running.
        """
        body = asyncio.ensure_future(self._live(front))
        loop = asyncio.get_running_loop()

        def stop() -> None:
            for number in STOP_SIGNALS:  # once: the orderly end has its own limits
                loop.add_signal_handler(number, _ignore)
            _ = body.cancel()

        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, stop)
        try:
            return await body
        except asyncio.CancelledError:
            return EXIT_STOPPED if self._was_up else EXIT_INTERRUPTED
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        except EmbeddedError as error:
            raise DevError(str(error)) from None

    async def _live(self, front: Front) -> int:
        try:
            with showing(self._console) as show:
                await self._start(show)
            mark = self._plan.root / STARTED_MARK
            is_first = not mark.exists()
            mark.touch()
            return await self._serve(front, is_first=is_first)
        finally:
            await self._stop()

    async def _start(self, show: Progress) -> None:
        preparation = Preparation(self._stack, self._external, show)
        self._urls = await preparation.run()
        publish(self._urls)
        self._services = ServiceWatch(self._stack, frozenset(self._external), self._events)

        self._supervisor = Supervisor(
            role_specs(self._plan.workers, self._api_environments()),
            folder=self._stack.folder,
            env=for_children(),
            progress=partial(self._heard, show),
            program=PROGRAM,
            stop_grace_s=ROLE_GRACE_S,
        )
        await self._supervisor.start()
        self._write()
        await self._supervisor.wait_ready(ROLES_READY_WITHIN_S)
        self._phase = Phase.READY
        self._was_up = True
        self._write()

    def _api_environments(self) -> dict[str, dict[str, str]]:
        """Return what each process of the API gets; commands find the first of them."""
        (settings,) = load(ApiSettings)
        names = names_of(api_role.ROLE, self._plan.workers)
        ports = self._api_ports.take(names, wished=settings.port)
        secret = self._stack.folder.secret(api_role.SECRET, size=api_role.SECRET_BYTES)
        found = {name: api_role.environment(settings, secret=secret, port=ports[name]) for name in names}
        self._urls |= found[names[0]]
        return found

    def _heard(self, show: Progress, role: str, line: str) -> None:
        if self._phase is not Phase.STARTING:
            self._events.event(f"{role}: {line}")
        elif line == RoleState.READY:
            show.done(role, self._place_of(role))
        elif line == RoleState.STARTING:
            show.begin(role)
        else:
            show.tell(role, line)

    def _place_of(self, role: str) -> str:
        roles = () if self._supervisor is None else self._supervisor.statuses()
        return next((f"{LOOPBACK}:{each.health_port}" for each in roles if each.name == role), "")

    async def _serve(self, front: Front, *, is_first: bool) -> int:
        assert self._services is not None  # noqa: S101  _start has set it
        watching = asyncio.ensure_future(self._services.run())
        reporting = asyncio.ensure_future(self._report())
        talking = asyncio.ensure_future(front(is_first))
        tasks = (watching, reporting, talking)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                _ = task.result()
            return talking.result()
        finally:
            for task in tasks:
                _ = task.cancel()
            _ = await asyncio.gather(*tasks, return_exceptions=True)

    async def _report(self) -> None:
        while True:
            self._write()
            await asyncio.sleep(STATE_EVERY_S)

    def _write(self) -> None:
        state = DevState(pid=os.getpid(), phase=self._phase, urls=self._urls, parts=self._parts())
        if state != self._written:
            write(self._plan.root, state)
            self._written = state

    def _parts(self) -> tuple[PartState, ...]:
        services = () if self._services is None else self._services.states()
        roles = () if self._supervisor is None else self._supervisor.statuses()
        return services + tuple(
            PartState(
                name=role.name,
                kind=Kind.ROLE,
                state=role.state,
                pid=role.pid,
                port=role.health_port,
                restarts=role.restarts,
                log=role.log,
            )
            for role in roles
        )

    async def _stop(self) -> None:
        self._phase = Phase.STOPPING
        if self._supervisor is not None:
            self._write()
            self._events.event("stopping the roles, then the services; their data stays")
        try:
            if self._supervisor is not None:
                await self._supervisor.stop()
                forget(self._plan.root)
        finally:
            self._api_ports.release()
            await self._stack.stop()


def _ignore() -> None:
    """Do nothing: it is already stopping."""


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error that is a sentence for people, else the first of all, however deep."""
    leaves = list(_leaves(errors))
    first = next((leaf for leaf in leaves if isinstance(leaf, MaestroError | EmbeddedError)), leaves[0])
    return DevError(str(first)) if isinstance(first, EmbeddedError) else first


def _leaves(errors: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(cast("BaseExceptionGroup[BaseException]", error))
        else:
            yield error
