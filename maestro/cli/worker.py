"""`maestro worker ROLE` and `maestro sink NAME`: one long-running process each."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from importlib.metadata import version
from typing import Protocol

import click

from maestro.health import serving
from maestro.process_settings import ProcessSettings
from maestro.settings import load
from streams.runtime.loop import run as run_loop
from streams.runtime.settings import RuntimeSettings
from telemetry.health import Health
from telemetry.logs import configure
from telemetry.metrics import PROCESS_INFO

WORKERS = {
    "session": "maestro.wiring.session:session_worker",
    "generate": "maestro.wiring.generate:generate_worker",
    "execute": "maestro.wiring.execute:execute_worker",
}
SINKS = {
    "embeddings": "maestro.wiring.embeddings:embeddings_sink",
    "postgres": "maestro.wiring.sink:postgres_sink",
    "recents": "maestro.wiring.recents:recents_sink",
}


class Program(Protocol):
    """A long-running process: a worker or a sink."""

    @property
    def health(self) -> Health:
        """What it knows of its own state."""
        ...

    async def run(self) -> int:
        """Run until a signal or a failure; return the exit code."""
        ...


Opening = Callable[[], AbstractAsyncContextManager[Program]]


@click.command()
@click.argument("role", type=click.Choice(sorted(WORKERS)))
def worker(*, role: str) -> None:
    """Run one worker process of ROLE until SIGTERM; start more of them to share the partitions."""
    run_process(role, WORKERS[role])


@click.command()
@click.argument("name", type=click.Choice(sorted(SINKS)))
def sink(*, name: str) -> None:
    """Run one process of the sink NAME until SIGTERM."""
    run_process(f"sink-{name}", SINKS[name])


def run_process(program: str, place: str) -> None:
    """Run the long-running process `program` to its end, and exit with its code.

    `place` is `module:function` of what opens it; it is imported now, with all that it needs.
    """
    process, runtime = load(ProcessSettings, RuntimeSettings)
    configure(process.log_level, as_json=process.log_format == "json")
    PROCESS_INFO.labels(program, version("maestro-streams")).set(1)
    module, _, attribute = place.partition(":")
    opening: Opening = getattr(import_module(module), attribute)
    raise SystemExit(run_loop(_serve(opening, process), event_loop=runtime.event_loop))


async def _serve(opening: Opening, settings: ProcessSettings) -> int:
    async with serving(settings) as follow, opening() as program:
        follow(program.health)
        return await program.run()
