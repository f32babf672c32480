"""Builds the generate worker."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from llm.models import Models, build_models
from llm.settings import ModelSettings, patience_of
from maestro.process_settings import ProcessSettings
from maestro.settings import load
from maestro.wiring.machine import step_machine
from maestro.wiring.observed import observed_worker
from maestro.wiring.tools import build_registry
from maestro.wiring.wires import open_wires
from schemas.records import GenerationRequest
from schemas.topics import GENERATION_REQUESTS
from stores.postgres.steps import Steps
from stores.redis.feed import Feed
from streams.generate.job import Generating
from streams.generate.settings import GenerateSettings
from streams.journaled_role import JournaledRole
from streams.runtime.settings import RuntimeSettings
from streams.runtime.worker import Worker


@asynccontextmanager
async def generate_worker() -> AsyncGenerator[Worker]:
    """Build the worker that calls models; its clients are open while the context is."""
    settings, models, runtime, process = load(
        GenerateSettings, ModelSettings, RuntimeSettings, ProcessSettings
    )
    model = build_models(models)
    async with _prepared(model if models.expects_provider else None), open_wires("maestro.generate") as wires:
        bus = wires.bus
        generating = Generating(
            model=model,
            tools=build_registry(),
            record=Steps(wires.database),
            feed=Feed(wires.redis),
            settings=settings,
            patience=patience_of(models),
        )
        group = bus.names.group("generate")
        role = JournaledRole(
            spec=GENERATION_REQUESTS,
            topic=bus.names.full(GENERATION_REQUESTS),
            request=GenerationRequest,
            job_of=lambda request, record, trace: generating.job(
                request, partition=record.partition, trace=trace
            ),
            machine=step_machine(wires, group),
            decoder=bus.codec,
            dead_letters=bus.dead_letters,
            stage="generate",
        )
        worker = Worker(role, runtime, bus.connection(), group, static_name=process.static_name)
        async with observed_worker(worker, wires, group):
            yield worker


@asynccontextmanager
async def _prepared(model: Models | None) -> AsyncGenerator[None]:
    """Prepare the models while the worker connects and joins its group.

    Whoever takes over a dead one's calls would keep them waiting for seconds otherwise.
    """
    preparing = None if model is None else asyncio.create_task(model.prepare())
    try:
        yield
    finally:
        if preparing is not None:
            preparing.cancel()
            # A library that cannot be loaded fails the calls that need it, with their reasons.
            _ = await asyncio.gather(preparing, return_exceptions=True)
