"""A worker process of the chaos test: the real runtime with a role that writes down what it does."""

import asyncio
import json
import logging
import os
import random
import sys
import time
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from schemas.errors import TransientError
from streams.runtime.connection import ConnectionOptions
from streams.runtime.loop import run
from streams.runtime.record import Record
from streams.runtime.settings import RuntimeSettings
from streams.runtime.worker import Worker

POISON_EVERY = 97
TRANSIENT_SHARE = 0.02
SLOW_SHARE = 0.05


class UnlikedError(Exception):
    """A message that the role will never take."""


class Journal:
    """Appends one JSON line per fact; a line is written whole, so a SIGKILL cannot tear it."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, kind: str, **facts: object) -> None:
        line = json.dumps({"kind": kind, "pid": os.getpid(), "at": time.time(), **facts})
        os.write(self._fd, line.encode() + b"\n")


class EffectRole:
    """Writes the begin and the end of every step. Some are slow, some fail once, some are poison."""

    def __init__(self, topics: tuple[str, ...], journal: Journal, mean_step_s: float) -> None:
        self.topics = topics
        self._journal = journal
        self._mean_step_s = mean_step_s
        self._random = random.Random()  # noqa: S311 - not for secrets
        self._failed: set[str] = set()

    def lane(self, record: Record) -> Hashable | None:
        return record.key

    def join_key(self, record: Record) -> Hashable | None:
        return record.value

    async def step(self, record: Record) -> None:
        message = json.loads(record.value or b"{}")
        name = message["id"]
        facts = {"key": message["key"], "topic": record.topic, "number": message["number"], "id": name}
        if name not in self._failed and self._random.random() < TRANSIENT_SHARE:
            self._failed.add(name)
            message = "a store is away for a moment"
            raise TransientError(message)
        self._journal.write("begin", **facts)
        try:
            slow = 20.0 if self._random.random() < SLOW_SHARE else 1.0
            await asyncio.sleep(self._random.expovariate(1.0) * self._mean_step_s * slow)
        except asyncio.CancelledError:
            self._journal.write("cancelled", **facts)
            raise
        if message["number"] % POISON_EVERY == POISON_EVERY - 1:
            self._journal.write("failed", **facts)
            raise UnlikedError
        self._journal.write("end", **facts)

    async def on_poison(self, record: Record, error: Exception) -> None:
        _ = error
        message = json.loads(record.value or b"{}")
        self._journal.write(
            "end", key=message["key"], topic=record.topic, number=message["number"], id=message["id"]
        )

    async def on_assigned(self, partitions: frozenset[int]) -> None:
        self._journal.write("assigned", partitions=sorted(partitions))

    async def on_revoked(self, partitions: frozenset[int]) -> None:
        self._journal.write("revoked", partitions=sorted(partitions))


async def work(options: dict[str, Any], folder: Path) -> int:
    """Run the worker until SIGTERM, saying in the journal when it is ready and how it ended."""
    name = options["name"]
    journal = Journal(folder / f"{name}.jsonl")
    role = EffectRole(
        tuple(str(topic) for topic in options["topics"]), journal, float(str(options["mean_step_s"]))
    )
    settings = RuntimeSettings.model_validate(options["settings"])
    static_name = name if options["static"] else None
    worker = Worker(
        role,
        settings,
        ConnectionOptions(bootstrap_servers=(options["bootstrap"],)),
        options["group"],
        static_name,
    )
    journal.write("boot")
    status = asyncio.create_task(_report(worker, journal))
    code = await worker.run()
    status.cancel()
    journal.write("exit", code=code)
    return code


async def _report(worker: Worker, journal: Journal) -> None:
    was_ready = False
    while True:
        if (is_ready := bool(worker.health.ready())) != was_ready:
            journal.write("ready" if is_ready else "unready", reason=worker.health.ready().reason)
            was_ready = is_ready
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "WARNING"), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    arguments = json.loads(sys.argv[1])
    sys.exit(run(work(arguments, Path(sys.argv[2])), event_loop=arguments["event_loop"]))
