"""The embedded stack: Kafka, PostgreSQL and Redis in one data folder, started together."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Self

from maestro.embedded.class_cache import ensure_class_cache
from maestro.embedded.errors import EmbeddedError
from maestro.embedded.folder import DataFolder
from maestro.embedded.jars import ensure_jars
from maestro.embedded.kafka import Kafka
from maestro.embedded.part import Part, PartName, Say
from maestro.embedded.ports import LOOPBACK, HeldPorts, is_free
from maestro.embedded.postgres import Postgres, unprivileged
from maestro.embedded.postgres_home import installed_programs, postgres_home, postgres_programs
from maestro.embedded.process import ChildProcess, end_leftover
from maestro.embedded.redis_server import Redis
from maestro.embedded.settings import EmbeddedSettings

PORTS = ("kafka", "kafka_controller", "postgres", "redis")
LEFTOVER_WAIT_S = 20.0
PORT_WAIT_S = 5.0
PORT_POLL_S = 0.1
START_TRIES = 3

Progress = Callable[[PartName, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackUrls:
    """How clients reach the services. The URLs carry passwords; `admin_database_url` is the superuser's."""

    kafka_bootstrap: str
    database_url: str
    redis_url: str
    admin_database_url: str | None = None


def silent(part: PartName, line: str) -> None:
    """Report no progress."""


class EmbeddedStack:
    """Starts, stops and restarts the embedded services of one data folder.

    `external` names the services that run elsewhere, with their URLs: those are not started. Use it from the
    main thread: the services end when the thread that started them ends.
    """

    def __init__(
        self,
        settings: EmbeddedSettings,
        *,
        external: Mapping[PartName, str] | None = None,
    ) -> None:
        self._settings = settings
        self._external = dict(external or {})
        self._children: dict[PartName, ChildProcess] = {}
        self._parts: dict[PartName, Part] = {}
        self._postgres: Postgres | None = None
        self._urls: StackUrls | None = None
        self._ports = HeldPorts()
        self.folder = DataFolder(settings.data_dir)

    @property
    def urls(self) -> StackUrls:
        """How clients reach the services. Raises EmbeddedError before the start."""
        if self._urls is None:
            message = "The embedded services have not been started."
            raise EmbeddedError(message)
        return self._urls

    async def start(self, progress: Progress = silent) -> StackUrls:
        """Start all services at once and return when each answers.

        Raises FolderBusyError when another stack has the folder, EmbeddedError when a service does not start;
        what was started is stopped then.
        """
        await asyncio.to_thread(self.folder.acquire)
        try:
            await self._build(progress)
            await self._start_parts(progress)
        except BaseException:
            await self.stop()
            raise
        return self.urls

    async def stop(self) -> None:
        """Stop all services in an orderly way and give the folder back."""
        async with asyncio.TaskGroup() as group:
            for name, child in self._children.items():
                group.create_task(child.stop(self._parts[name].stop_grace_s))
        for child in self._children.values():
            if child.spec.pid_file is not None:
                child.spec.pid_file.unlink(missing_ok=True)
        self._children.clear()
        self._ports.release()
        self.folder.release()

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        await self.stop()

    async def start_part(self, part: PartName, progress: Progress = silent) -> None:
        """Start one service on its own port and data, and return when it answers.

        Raises PartFailedError when it does not, EmbeddedError when its port was taken by another program.
        """
        part = PartName(part)
        service = self._parts[part]
        say = partial(progress, part)
        await service.prepare(say)
        await wait_for_port(part, self.folder.state.ports[part], PORT_WAIT_S)
        say("starting")
        for tries_left in reversed(range(START_TRIES)):
            child = ChildProcess(service.spec)
            child.start()
            self._children[part] = child
            try:
                await child.wait_ready(service.is_ready, service.ready_within_s)
                break
            except EmbeddedError:
                # After a kill, PostgreSQL's orphans hold its memory for a moment.
                if child.is_running or not tries_left:
                    raise
                await asyncio.sleep(1.0)
        say("ready")

    async def stop_part(self, part: PartName) -> None:
        """Stop one service in an orderly way."""
        await self._children[PartName(part)].stop(self._parts[PartName(part)].stop_grace_s)

    async def kill(self, part: PartName) -> None:
        """Kill one service, as a crash would (SIGKILL), and return when it is gone."""
        await self._children[PartName(part)].kill()

    def dead_parts(self) -> tuple[PartName, ...]:
        """Return the services that have ended although nobody stopped the stack."""
        return tuple(name for name, child in self._children.items() if not child.is_running)

    def pids(self) -> dict[str, int]:
        """Return the process id of each running service."""
        running = {name: child.pid for name, child in self._children.items() if child.is_running}
        return {str(name): pid for name, pid in running.items() if pid is not None}

    async def run_sql(self, database: str, sql: str) -> str:
        """Run statements as the database's superuser; rows come back unaligned, one a line.

        Raises PartFailedError with the server's message, EmbeddedError when the database is not embedded.
        """
        if self._postgres is None:
            message = "The database is not embedded: run the statements with its own tools."
            raise EmbeddedError(message)
        return await self._postgres.run_sql(database, sql)

    async def _start_parts(self, progress: Progress) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for name in self._parts:
                    group.create_task(self.start_part(name, progress))
        except BaseExceptionGroup as errors:  # a plain `except`: a cancellation has to stay one
            matching = errors.subgroup(EmbeddedError)
            if matching is None:
                raise
            raise first_error(matching) from None

    async def _build(self, progress: Progress) -> None:
        for name in PartName:
            if name not in self._external:
                await end_leftover(self.folder.pids / name, LEFTOVER_WAIT_S)
        self._hold_ports(progress)
        builders = {
            PartName.KAFKA: self._build_kafka,
            PartName.POSTGRES: self._build_postgres,
            PartName.REDIS: self._build_redis,
        }
        self._parts = {
            name: await asyncio.to_thread(build, partial(progress, name))
            for name, build in builders.items()
            if name not in self._external
        }
        self._urls = self._addresses()

    def _hold_ports(self, progress: Progress) -> None:
        state = self.folder.state
        parts = {name: PartName(name.removesuffix("_controller")) for name in PORTS}
        ports = self._ports.assign(
            [name for name, part in parts.items() if part not in self._external], state.ports
        )
        for name, part in parts.items():
            before = state.ports.get(name)
            if before is not None and before != ports[name]:
                progress(part, f"port {before} is taken by another program; a new one is chosen")
        self.folder.save(replace(state, ports=ports))

    def _build_kafka(self, say: Say) -> Part:
        state = self.folder.state
        jars = ensure_jars(self._settings, say)
        return Kafka(
            folder=self.folder.root / "kafka",
            jars=jars,
            class_cache=ensure_class_cache(jars, say),
            port=state.ports["kafka"],
            controller_port=state.ports["kafka_controller"],
            cluster_id=state.cluster_id,
            log=self.folder.logs / "kafka.log",
            pid_file=self.folder.pids / "kafka",
        )

    def _build_postgres(self, say: Say) -> Part:
        identity = unprivileged()
        home = postgres_home(self.folder, identity, say)
        self._postgres = Postgres(
            home=home,
            programs=postgres_programs(installed_programs(), home, identity, say),
            port=self.folder.state.ports["postgres"],
            superuser_password=self.folder.secret("postgres"),
            owner_password=self.folder.secret("maestro"),
            log=self.folder.logs / "postgres.log",
            pid_file=self.folder.pids / "postgres",
            identity=identity,
        )
        return self._postgres

    def _build_redis(self, say: Say) -> Part:  # noqa: ARG002  nothing to tell
        return Redis(
            folder=self.folder.root / "redis",
            port=self.folder.state.ports["redis"],
            password=self.folder.secret("redis"),
            log=self.folder.logs / "redis.log",
            pid_file=self.folder.pids / "redis",
        )

    def _addresses(self) -> StackUrls:
        def url(name: PartName, own: str | None) -> str:
            return own if own is not None else self._external[name]

        kafka, redis = self._parts.get(PartName.KAFKA), self._parts.get(PartName.REDIS)
        postgres = self._postgres
        bootstrap = f"{LOOPBACK}:{kafka.port}" if isinstance(kafka, Kafka) else None
        return StackUrls(
            kafka_bootstrap=url(PartName.KAFKA, bootstrap),
            database_url=url(PartName.POSTGRES, postgres.url() if postgres else None),
            redis_url=url(PartName.REDIS, redis.url if isinstance(redis, Redis) else None),
            admin_database_url=postgres.admin_url() if postgres else None,
        )


def first_error(errors: BaseExceptionGroup[EmbeddedError]) -> EmbeddedError:
    """Return the first error of a group, however deep."""
    first = errors.exceptions[0]
    return first_error(first) if isinstance(first, BaseExceptionGroup) else first


async def wait_for_port(part: PartName, port: int, within_s: float) -> None:
    """Return when the port can be listened on. Raises EmbeddedError when it stays taken."""
    try:
        async with asyncio.timeout(within_s):
            while not is_free(port):  # noqa: ASYNC110  another program gives no sign
                await asyncio.sleep(PORT_POLL_S)
    except TimeoutError:
        message = f"{part}'s port {port} is taken by another program. Stop that program, then start again."
        raise EmbeddedError(message) from None
