"""Builds the execute worker."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from maestro.process_settings import ProcessSettings
from maestro.settings import load
from maestro.wiring.machine import journal_settings, step_machine
from maestro.wiring.observed import observed_worker
from maestro.wiring.tools import build_registry
from maestro.wiring.wires import open_wires
from schemas.records import ToolCall
from schemas.topics import TOOL_CALLS
from stores.postgres.steps import Steps
from stores.redis.feed import Feed
from streams.execute.invoke import Invoker
from streams.execute.job import Executing
from streams.execute.settings import HttpToolSettings, SqlSettings, ToolSettings
from streams.journal_settings import JournalSettings
from streams.journaled_role import JournaledRole
from streams.runtime.settings import RuntimeSettings
from streams.runtime.worker import Worker


@asynccontextmanager
async def execute_worker() -> AsyncGenerator[Worker]:
    """Build the worker that calls tools; its clients are open while the context is.

    Raises:
        SettingsError: settings do not fit, alone or together.

    """
    # All at once, so that all problems are told together and before anything is opened.
    _ = load(ToolSettings, SqlSettings, HttpToolSettings, RuntimeSettings, ProcessSettings, JournalSettings)
    _ = journal_settings()
    tools, runtime, process = load(ToolSettings, RuntimeSettings, ProcessSettings)
    async with open_wires("maestro.execute") as wires:
        bus = wires.bus
        executing = Executing(
            registry=build_registry(wires),
            invoker=Invoker(pool_size=tools.pool_size, result_limit_bytes=tools.result_limit_bytes),
            record=Steps(wires.database),
            feed=Feed(wires.redis),
        )
        group = bus.names.group("execute")
        role = JournaledRole(
            spec=TOOL_CALLS,
            topic=bus.names.full(TOOL_CALLS),
            request=ToolCall,
            job_of=lambda call, record, trace: executing.job(call, partition=record.partition, trace=trace),
            machine=step_machine(wires, group),
            decoder=bus.codec,
            dead_letters=bus.dead_letters,
            stage="execute",
        )
        worker = Worker(role, runtime, bus.connection(), group, static_name=process.static_name)
        async with observed_worker(worker, wires, group):
            yield worker
