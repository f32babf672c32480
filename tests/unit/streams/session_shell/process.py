"""A session process on fakes that can die, freeze, fail or lose its Redis at any of its awaits."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any, Protocol, TypeVar, cast

from schemas.errors import TransientError
from schemas.lists import DeadLetterReason
from schemas.records import Record
from streams.barrier import Barrier
from streams.runtime.record import Record as Message
from streams.session import ports
from streams.session.erasure import Erasure
from streams.session.in_flight import InFlight
from streams.session.outbox import Outbox
from streams.session.rebuild import Rebuilder
from streams.session.role import SessionRole
from streams.session.settings import SessionSettings
from streams.session.step import SessionStep
from streams.session.timer_loop import TimerLoop
from telemetry.tracing import Trace
from tests.fakes.agents import FakeAgents
from tests.fakes.record import FakeRecord
from tests.fakes.redis_stores import FakeContexts, FakeFeed, FakeJournal, FakeRedis, FakeTimers
from tests.fakes.topics import FakeEnds, FakePublisher, FakeTopics

PortT = TypeVar("PortT")


class Services(Protocol):
    """What processes share."""

    topics: FakeTopics
    redis: FakeRedis
    record: FakeRecord
    agents: FakeAgents
    dead: list[tuple[Message, DeadLetterReason, str]]


class _Wired:
    """A port whose calls take two turns: one before the effect and one after it."""

    def __init__(self, port: Any, process: "Process") -> None:
        self._port = port
        self._process = process

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method = getattr(self._port, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            await self._process.turn()
            answer = await method(*arguments, **named)
            await self._process.turn()
            return answer

        return call


class _WiredPublisher(_Wired):
    """Each of several records takes its own turns, so that any part of them may have arrived."""

    async def publish_all(self, records: Sequence[Record], *, trace: Trace, partition: int) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for record in records:
                    group.create_task(self.publish(record, trace=trace, partition=partition))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from failures


class _DeadLetters:
    def __init__(self, dead: list[tuple[Message, DeadLetterReason, str]]) -> None:
        self._dead = dead

    async def put(self, **named: Any) -> None:
        message = Message(
            named["topic"], named["partition"], named["offset"], 0, named["key"], named["value"]
        )
        self._dead.append((message, named["reason"], named["message"]))


class Process:
    """One session worker. `plan` says what happens at which turn, counted from the start of a delivery."""

    def __init__(
        self,
        services: Services,
        *,
        scheduler: Random | None = None,
        barrier_limit_s: float = 20,
        settings: SessionSettings | None = None,
    ) -> None:
        self.services = services
        self.plan: dict[int, Callable[[Process], None]] = {}
        self.turns = 0
        self.is_dead = False
        self.frozen = asyncio.Event()
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._scheduler = scheduler
        self._tasks: set[asyncio.Task[None]] = set()
        topics, settings = services.topics, settings or SessionSettings()
        publisher = cast("ports.Publisher", _WiredPublisher(FakePublisher(topics), self))
        contexts = self._wired(FakeContexts(services.redis))
        record = self._wired(services.record)
        ends = self._wired(FakeEnds(topics))
        self.barrier = Barrier(record, limit_s=barrier_limit_s)
        self.outbox = Outbox(publisher)
        self.in_flight = InFlight()
        self.step = SessionStep(
            contexts=contexts,
            rebuilder=Rebuilder(
                contexts=contexts, logs=record, outbox=self.outbox, barrier=self.barrier, marker_s=60
            ),
            outbox=self.outbox,
            agents=services.agents,
            erasure=Erasure(
                steps=record,
                values=self._wired(FakeJournal(services.redis)),
                feeds=self._wired(FakeFeed(services.redis)),
            ),
            runs=record,
            ends=ends,
            barrier=self.barrier,
            names=topics.names,
            settings=settings,
        )
        self.timer_loop = TimerLoop(
            timers=self._wired(FakeTimers(services.redis)),
            recorded=record,
            publisher=publisher,
            ends=ends,
            barrier=self.barrier,
            in_flight=self.in_flight,
            names=topics.names,
            settings=settings,
        )
        self.role = SessionRole(
            step=self.step,
            timer_loop=self.timer_loop,
            decoder=topics.codec,
            publisher=publisher,
            dead_letters=_DeadLetters(services.dead),
            in_flight=self.in_flight,
            names=topics.names,
            partitions=topics.partitions,
        )

    def _wired(self, port: PortT) -> PortT:
        return cast("PortT", _Wired(port, self))

    def start(self, message: Message) -> asyncio.Task[None]:
        """Begin a delivery, as the runner does."""
        self.turns = 0
        task = asyncio.create_task(self.role.step(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def turn(self) -> None:
        """Pass a place where the world may change or this process may end."""
        for _ in range(1 if self._scheduler is None else self._scheduler.randrange(1, 4)):
            await asyncio.sleep(0)
        number = self.turns
        self.turns += 1
        happening = None if self.is_dead else self.plan.pop(number, None)
        if happening is not None:
            happening(self)
        await self._thawed.wait()
        if self.is_dead:
            raise asyncio.CancelledError

    def kill(self) -> None:
        """End, as SIGKILL does: nothing that it calls from now on has an effect."""
        self.is_dead = True
        for task in self._tasks:
            task.cancel()

    def freeze(self) -> None:
        """Stop at the next turn until `thaw`, as SIGSTOP does."""
        self._thawed.clear()
        self.frozen.set()

    def thaw(self) -> None:
        """Go on, not knowing how much time has passed."""
        self.frozen.clear()
        self._thawed.set()


def kill(process: Process) -> None:
    """The process dies."""
    process.kill()


def freeze(process: Process) -> None:
    """The process stops for a while."""
    process.freeze()


def flush(process: Process) -> None:
    """Redis forgets everything."""
    process.services.redis.flush()


def fail(_process: Process) -> None:
    """What is being called does not answer."""
    message = "away for a moment"
    raise TransientError(message)
