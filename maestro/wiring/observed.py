"""What is to be seen of a worker or sink beside its work: reach of its stores, its producer, its backlog."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bus.consumer import Consumer
from bus.message import Place
from maestro.wiring.backlog import BacklogWatch, Look, Standing, worker_standings
from maestro.wiring.reach import Probe, Reach
from maestro.wiring.wires import Bus, Wires
from sinks.process import SinkProcess

if TYPE_CHECKING:
    # It brings Faust, which a sink would load for nothing: half a second of CPU.
    from streams.runtime.worker import Worker


@asynccontextmanager
async def observed_worker(worker: "Worker", wires: Wires, group: str) -> "AsyncGenerator[Worker]":
    """Watch a worker of the consumer group `group` while the context is open."""
    worker.health.also(wires.reach.trouble)
    worker.health.also(wires.bus.publisher.trouble)

    async def look() -> Mapping[Place, Standing]:
        return await worker_standings(wires.ends, group, worker.waiting())

    async with _watched(look):
        yield worker


@asynccontextmanager
async def observed_sink(
    sink: SinkProcess, bus: Bus, member: Consumer, stores: Mapping[str, Probe]
) -> AsyncGenerator[SinkProcess]:
    """Watch a sink and its stores while the context is open."""
    reach = Reach(stores)
    sink.health.also(reach.trouble)
    sink.health.also(bus.publisher.trouble)

    async def look() -> Mapping[Place, Standing]:
        waiting = sink.waiting()
        if not waiting:
            return {}
        ends = await member.end_offsets(waiting)
        return {
            place: Standing(next_offset, ends[place], oldest_ms)
            for place, (next_offset, oldest_ms) in waiting.items()
        }

    reach.start()
    try:
        async with _watched(look):
            yield sink
    finally:
        await reach.stop()


@asynccontextmanager
async def _watched(look: Look) -> AsyncGenerator[None]:
    watch = BacklogWatch(look)
    watch.start()
    try:
        yield
    finally:
        await watch.stop()
