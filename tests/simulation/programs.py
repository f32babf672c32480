"""The programs of Maestro on the ports of a simulated process, put together as the composition root does."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from llm.patience import Patience
from schemas.records import GenerationRequest, ToolCall
from schemas.topics import GENERATION_REQUESTS, TOOL_CALLS, TopicSpec
from sinks.postgres.tables import BY_TOPIC
from sinks.process import SinkProcess
from sinks.settings import SinkSettings
from stores.redis.journal import Busy, Claimed, Done
from streams.barrier import Barrier
from streams.end_barrier import EndBarrier
from streams.execute.invoke import Invoker
from streams.execute.job import Executing
from streams.execute.registry import Registry
from streams.generate.job import Generating
from streams.generate.settings import GenerateSettings
from streams.journal_settings import JournalSettings
from streams.journaled import StepMachine
from streams.journaled_role import JournaledRole
from streams.session.erasure import Erasure
from streams.session.in_flight import InFlight
from streams.session.outbox import Outbox
from streams.session.rebuild import Rebuilder
from streams.session.role import SessionRole
from streams.session.settings import SessionSettings
from streams.session.step import SessionStep
from streams.session.timer_loop import TimerLoop
from tests.fakes.agents import FakeAgents
from tests.fakes.redis_stores import FakeContexts, FakeFeed, FakeJournal, FakeRedis, FakeTimers
from tests.fakes.topics import FakeEnds
from tests.simulation.answers import Model, tools_of
from tests.simulation.process import Process
from tests.simulation.promises import ATTEMPT, Promises
from tests.simulation.record import SimulatedRecord
from tests.simulation.topics import ProcessPublisher, Publisher, Topics


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the processes share, and how they are set."""

    topics: Topics
    redis: FakeRedis
    record: SimulatedRecord
    agents: FakeAgents
    dead_letters: Any
    promises: Promises
    world: Any
    session: SessionSettings
    journal: JournalSettings
    sink: SinkSettings


class Journal(FakeJournal):
    """The journal, which notes when an attempt began."""

    def __init__(self, redis: FakeRedis, promises: Promises) -> None:
        super().__init__(redis)
        self._promises = promises

    async def claim(self, partition: int, step_id: str, token: str, lease_ms: int) -> Claimed | Done | Busy:
        claimed = await super().claim(partition, step_id, token, lease_ms)
        if isinstance(claimed, Claimed):
            ATTEMPT.set(self._promises.moment())
        return claimed


class OnceClaims:
    """Claims in the record, on a port of their own."""

    def __init__(self, record: SimulatedRecord, promises: Promises) -> None:
        self._record = record
        self._promises = promises

    async def claim(self, step_id: str, token: str) -> bool:
        is_ours = await self._record.claim(step_id, token)
        self._promises.asked_once(step_id, token, holder=self._record.claims[step_id], is_ours=is_ours)
        return is_ours


class Contexts(FakeContexts):
    """The contexts, which note until when they live."""

    def __init__(self, redis: FakeRedis, promises: Promises) -> None:
        super().__init__(redis)
        self._promises = promises

    async def store(self, partition: int, session_id: str, **named: Any) -> bool:
        is_stored = await super().store(partition, session_id, **named)
        if is_stored:
            self._promises.stored(session_id, named["new"].context, named["ttl_s"])
        return is_stored


def _barrier(process: Process, services: Services) -> Barrier:
    progress = process.wired(services.record, "progress")
    return Barrier(progress, limit_s=services.session.barrier_limit_s)


def _publisher(process: Process, services: Services) -> ProcessPublisher:
    return ProcessPublisher(process.wired(Publisher(services.topics), "kafka"), services.world.random)


def session_role(process: Process, services: Services) -> SessionRole:
    """Return the role of a session worker."""
    topics, settings = services.topics, services.session
    publisher: Any = _publisher(process, services)
    contexts: Any = process.wired(Contexts(services.redis, services.promises), "redis")
    record: Any = process.wired(services.record, "postgres")
    ends: Any = process.wired(FakeEnds(topics), "kafka")
    barrier, outbox, in_flight = _barrier(process, services), Outbox(publisher), InFlight()
    rebuilder = Rebuilder(
        contexts=contexts, logs=record, outbox=outbox, barrier=barrier, marker_s=settings.grace_s
    )
    step = SessionStep(
        contexts=contexts,
        rebuilder=rebuilder,
        outbox=outbox,
        agents=services.agents,
        erasure=Erasure(
            steps=record,
            values=process.wired(FakeJournal(services.redis), "redis"),
            feeds=process.wired(FakeFeed(services.redis), "redis"),
        ),
        runs=record,
        ends=ends,
        barrier=barrier,
        names=topics.names,
        settings=settings,
    )
    timer_loop = TimerLoop(
        timers=process.wired(FakeTimers(services.redis), "timers"),
        recorded=record,
        publisher=publisher,
        ends=ends,
        barrier=barrier,
        in_flight=in_flight,
        names=topics.names,
        settings=settings,
    )
    timer_loop.report_to(lambda error: services.world.gave_up(process, error))
    return SessionRole(
        step=step,
        timer_loop=timer_loop,
        decoder=topics.codec,
        publisher=publisher,
        dead_letters=services.dead_letters,
        in_flight=in_flight,
        names=topics.names,
        partitions=topics.partitions,
    )


def generate_role(process: Process, services: Services) -> JournaledRole[GenerationRequest]:
    """Return the role of a worker that calls models."""
    generating = Generating(
        model=Model(process, services.world),
        tools=Registry(tools_of(process, services.world)),
        record=process.wired(services.record, "postgres"),
        feed=process.wired(FakeFeed(services.redis), "feed"),
        settings=GenerateSettings(),
        patience=Patience(tries=2, first_wait_s=0.1, most_wait_s=1.0, call_limit_s=30.0),
        now=_now_of(process),
    )
    return JournaledRole(
        spec=GENERATION_REQUESTS,
        request=GenerationRequest,
        job_of=lambda request, record, trace: generating.job(
            request, partition=record.partition, trace=trace
        ),
        **_paid(process, services, GENERATION_REQUESTS, "generate"),
    )


def execute_role(process: Process, services: Services) -> JournaledRole[ToolCall]:
    """Return the role of a worker that calls tools."""
    executing = Executing(
        registry=Registry(tools_of(process, services.world)),
        invoker=Invoker(pool_size=4, result_limit_bytes=10_000),
        record=process.wired(services.record, "postgres"),
        feed=process.wired(FakeFeed(services.redis), "feed"),
        now=_now_of(process),
    )
    return JournaledRole(
        spec=TOOL_CALLS,
        request=ToolCall,
        job_of=lambda call, record, trace: executing.job(call, partition=record.partition, trace=trace),
        **_paid(process, services, TOOL_CALLS, "execute"),
    )


def _paid(process: Process, services: Services, spec: TopicSpec, stage: str) -> dict[str, Any]:
    topics = services.topics
    machine = StepMachine(
        journal=process.wired(Journal(services.redis, services.promises), "redis"),
        once_claims=process.wired(OnceClaims(services.record, services.promises), "postgres"),
        barrier=EndBarrier(
            names=topics.names,
            ends=process.wired(FakeEnds(topics), "kafka"),
            barrier=_barrier(process, services),
        ),
        erasures=process.wired(services.record, "postgres"),
        publisher=_publisher(process, services),
        settings=services.journal,
        now_ms=process.now_ms,
        token_prefix=f"{process.member}:{process.number:09d}:",
    )
    return {
        "topic": topics.names.full(spec),
        "machine": machine,
        "decoder": topics.codec,
        "dead_letters": services.dead_letters,
        "stage": stage,
    }


def _now_of(process: Process) -> Any:
    return lambda: datetime.fromtimestamp(process.now_ms() / 1000, UTC)


def recorded_topics(topics: Topics) -> dict[str, TopicSpec]:
    """Return the full names of what the sink keeps."""
    return {topics.names.full(spec): spec for spec in BY_TOPIC}


def sink_process(process: Process, services: Services) -> SinkProcess:
    """Return the program that keeps the record."""
    return SinkProcess(
        topics=recorded_topics(services.topics),
        settings=services.sink,
        store=process.wired(services.record, "postgres"),
        decoder=services.topics.codec,
        dead_letters=services.dead_letters,
    )
