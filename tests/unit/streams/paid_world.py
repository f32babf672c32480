"""A small world for paid steps: fakes of every port, with a place to die before and after each call."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel

from schemas import ids
from schemas.errors import TransientError
from schemas.lists import EffectClass
from schemas.records import Record, ToolCall, ToolResult
from schemas.topics import TopicSpec
from stores.redis.journal import Busy, Claimed, Done
from streams.execute.invoke import Invoker
from streams.execute.job import ExecuteJob, Executing
from streams.execute.reconcile import CannotTell, Reconciled, WasDone, WasNotDone
from streams.execute.registry import Registry
from streams.execute.tool import Tool, ToolContext, tool
from streams.journal_settings import JournalSettings
from streams.journaled import OnceTokens, StepMachine
from streams.journaled_ports import StepJournal
from telemetry.tracing import Trace, derived
from tests.fakes.redis_stores import FakeJournal, FakeRedis

T = TypeVar("T")
START_MS = 1_800_000_000_000
SESSION = ids.task_id("a session")
LEASE_S = 8.0


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Process:
    """One process: dies (or is cancelled, or meets an error) at its nth place, counted from 1; 0: never."""

    at: int = 0
    how: Callable[[], BaseException] = Killed
    places: list[str] = field(default_factory=list[str])
    is_dead: bool = False

    def pass_by(self, name: str) -> None:
        if self.is_dead:
            raise Killed
        self.places.append(name)
        if len(self.places) == self.at:
            error = self.how()
            self.is_dead = isinstance(error, Killed)
            raise error

    async def call(self, name: str, port: Awaitable[T]) -> T:
        """Pass a call on; it may fail before it has an effect, or after."""
        try:
            self.pass_by(f"before {name}")
        except BaseException:
            port.close()  # type: ignore[attr-defined]
            raise
        result = await port
        self.pass_by(f"after {name}")
        return result


class Arguments(BaseModel):
    """What the counting tool takes."""

    text: str = ""


@dataclass
class World:
    """Redis, the record, the topics and the tool's effects; `now_ms` is everybody's clock."""

    effect: EffectClass = EffectClass.PURE
    now_ms: int = START_MS
    calls: int = 0
    published: list[ToolResult] = field(default_factory=list[ToolResult])
    claims: dict[str, str] = field(default_factory=dict[str, str])
    erased: set[str] = field(default_factory=set[str])
    born_ms: int = START_MS + 3_600_000
    outside: dict[str, int] = field(default_factory=dict[str, int])
    """What the tool did to the world beyond, by step id."""
    asked: list[str] = field(default_factory=list[str])
    can_tell: bool = True
    redis: FakeRedis = field(init=False)
    journal: StepJournal | None = None
    """Another journal than the fake one of `redis`."""
    during_work: Callable[[], Awaitable[object]] | None = None

    def __post_init__(self) -> None:
        self.redis = FakeRedis(lambda: self.now_ms)
        self.redis.epoch(0)
        self.now_ms = self.born_ms

    @property
    def call_record(self) -> ToolCall:
        born = datetime.fromtimestamp(self.born_ms / 1000, UTC)
        return ToolCall(
            id="step",
            task_id=SESSION,
            session_id=SESSION,
            run_id=SESSION,
            generation_id=SESSION,
            user_id="u",
            call_index=0,
            name="count",
            arguments="{}",
            created_at=born,
            born_at=born,
            deadline_at=born + timedelta(days=1),
            term=1,
            sequence=1,
        )

    def tool(self, process: Process) -> Tool:
        async def ask(_arguments: Arguments, context: ToolContext) -> Reconciled:
            self.asked.append(context.step_id)
            process.pass_by("asking")
            if not self.can_tell:
                return CannotTell("it does not answer")
            done = self.outside.get(context.step_id)
            return WasNotDone() if done is None else WasDone(done)

        hook = ask if self.effect is EffectClass.RECONCILE else None

        @tool(effect=self.effect, name="count", reconcile=hook)
        async def count(_arguments: Arguments, context: ToolContext) -> int:
            """Count the calls."""
            process.pass_by("before the effect")
            self.calls += 1
            mine = self.calls
            self.outside[context.step_id] = mine
            process.pass_by("after the effect")
            if self.during_work is not None:
                await self.during_work()
            return mine

        return count

    async def run(
        self,
        process: Process | None = None,
        *,
        lease_s: float = LEASE_S,
        undecided: OnceTokens | None = None,
        token_prefix: str = "",
    ) -> None:
        """Deliver the call to a process; `undecided` is its memory, when it had one."""
        ports = Ports(self, process or Process())
        machine = StepMachine(
            journal=ports,
            once_claims=OncePort(ports),
            barrier=ports,
            erasures=ports,
            publisher=ports,
            settings=JournalSettings(lease_s=lease_s),
            now_ms=lambda: self.now_ms,
            undecided=undecided or OnceTokens(),
            token_prefix=token_prefix,
        )
        await machine.run(self.job(ports))

    def job(self, ports: "Ports") -> ExecuteJob:
        shared = Executing(
            registry=Registry([self.tool(ports.process)]),
            invoker=Invoker(pool_size=4, result_limit_bytes=1000),
            record=ports,
            now=lambda: datetime.fromtimestamp(self.now_ms / 1000, UTC),
        )
        return shared.job(self.call_record, partition=0, trace=derived("x"))


@dataclass
class Ports:
    """All ports of one process."""

    world: World
    process: Process

    @property
    def journal(self) -> StepJournal:
        return self.world.journal or FakeJournal(self.world.redis)

    async def claim(self, partition: int, step_id: str, token: str, lease_ms: int) -> Claimed | Done | Busy:
        return await self.process.call("claim", self.journal.claim(partition, step_id, token, lease_ms))

    async def renew(self, partition: int, step_id: str, token: str, lease_ms: int) -> bool:
        return await self.process.call("renew", self.journal.renew(partition, step_id, token, lease_ms))

    async def complete(self, partition: int, step_id: str, token: str, value: bytes, keep_ms: int) -> bool:
        return await self.process.call(
            "complete", self.journal.complete(partition, step_id, token, value, keep_ms)
        )

    async def release(self, partition: int, step_id: str, token: str) -> None:
        await self.process.call("release", self.journal.release(partition, step_id, token))

    async def passed(self, topic: TopicSpec, partition: int) -> None:
        self.process.pass_by(f"barrier of {topic.name}/{partition}")

    async def is_erased(self, session_id: str) -> bool:
        self.process.pass_by("erased?")
        return session_id in self.world.erased

    async def tool_result(self, tool_call_id: str) -> ToolResult | None:
        self.process.pass_by("look-up")
        return next((each for each in self.world.published if each.tool_call_id == tool_call_id), None)

    async def publish(self, record: Record, *, trace: Trace, partition: int | None = None) -> Any:
        assert trace.trace_id == derived("x").trace_id
        assert partition == 0
        await self.process.call("publish", self._published(record))

    async def _published(self, record: Record) -> None:
        assert isinstance(record, ToolResult)
        self.world.published.append(record)


@dataclass
class OncePort:
    """Claims of once-tools in the record."""

    ports: Ports

    async def claim(self, step_id: str, token: str) -> bool:
        return await self.ports.process.call("once", self._claimed(step_id, token))

    async def _claimed(self, step_id: str, token: str) -> bool:
        return self.ports.world.claims.setdefault(step_id, token) == token


def away() -> TransientError:
    """A store that is away for a moment."""
    return TransientError("away")


async def taken_over_while_frozen(world: World) -> None:
    """Let an attempt stand still for longer than its lease, another do it all, and the first go on."""
    gate = asyncio.Event()
    world.during_work = gate.wait
    frozen = asyncio.create_task(world.run())
    await asyncio.sleep(0.01)
    world.now_ms += int(LEASE_S * 1000) + 1
    world.during_work = None
    await world.run()
    gate.set()
    async with asyncio.timeout(5):
        await frozen
    assert world.calls == 2
