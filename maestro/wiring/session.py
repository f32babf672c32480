"""Builds the session worker."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bus.agents_table import AgentsTable
from maestro.process_settings import ProcessSettings
from maestro.settings import load
from maestro.wiring.observed import observed_worker
from maestro.wiring.wires import open_wires
from stores.postgres.runs import Runs
from stores.postgres.session_logs import SessionLogs
from stores.postgres.steps import Steps
from stores.postgres.timers import Timers as RecordedTimers
from stores.redis.contexts import Contexts
from stores.redis.feed import Feed
from stores.redis.journal import Journal
from stores.redis.timers import Timers
from streams.runtime.settings import RuntimeSettings
from streams.runtime.worker import Worker
from streams.session.erasure import Erasure
from streams.session.in_flight import InFlight
from streams.session.outbox import Outbox
from streams.session.rebuild import Rebuilder
from streams.session.role import SessionRole
from streams.session.settings import SessionSettings
from streams.session.step import SessionStep
from streams.session.timer_loop import TimerLoop


@asynccontextmanager
async def session_worker() -> AsyncGenerator[Worker]:
    """Build the worker that decides; its clients are open while the context is."""
    settings, runtime, process = load(SessionSettings, RuntimeSettings, ProcessSettings)
    async with open_wires("maestro.session", barrier_limit_s=settings.barrier_limit_s) as wires:
        bus, barrier, ends = wires.bus, wires.barrier, wires.ends
        agents = AgentsTable(bus.kafka, names=bus.names, codec=bus.codec)
        await agents.start()
        contexts = Contexts(wires.redis)
        outbox = Outbox(bus.publisher, remembered=settings.remembered_deliveries)
        rebuilder = Rebuilder(
            contexts=contexts,
            logs=SessionLogs(wires.database),
            outbox=outbox,
            barrier=barrier,
            marker_s=settings.grace_s,
        )
        step = SessionStep(
            contexts=contexts,
            rebuilder=rebuilder,
            outbox=outbox,
            agents=agents,
            erasure=Erasure(
                steps=Steps(wires.database), values=Journal(wires.redis), feeds=Feed(wires.redis)
            ),
            runs=Runs(wires.database),
            ends=ends,
            barrier=barrier,
            names=bus.names,
            settings=settings,
        )
        in_flight = InFlight()
        timer_loop = TimerLoop(
            timers=Timers(wires.redis),
            recorded=RecordedTimers(wires.database),
            publisher=bus.publisher,
            ends=ends,
            barrier=barrier,
            in_flight=in_flight,
            names=bus.names,
            settings=settings,
        )
        role = SessionRole(
            step=step,
            timer_loop=timer_loop,
            decoder=bus.codec,
            publisher=bus.publisher,
            dead_letters=bus.dead_letters,
            in_flight=in_flight,
            names=bus.names,
            partitions=bus.topics.partitions,
        )
        try:
            group = bus.names.group("session")
            worker = Worker(role, runtime, bus.connection(), group, static_name=process.static_name)
            timer_loop.report_to(worker.fail)
            async with observed_worker(worker, wires, group):
                yield worker
        finally:
            await role.stop()
            await agents.stop()
