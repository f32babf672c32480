"""A worker as Faust's documentation writes it, with `concurrency=16`: shows why there is a runtime."""

import asyncio
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import faust
from mode import Worker

from tests.chaos.runtime.worker_process import Journal


def main(options: dict[str, Any], folder: Path) -> None:
    """Run Faust's own worker on an agent of 16 concurrent actors until it is killed."""
    journal = Journal(folder / f"{options['name']}.jsonl")
    app = faust.App(
        options["group"],
        broker=f"kafka://{options['bootstrap']}",
        env={},
        datadir=str(folder / f"faust-{os.getpid()}"),
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
        broker_commit_interval=0.1,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
    )
    messages = app.topic(*options["topics"], value_type=bytes, value_serializer="raw")

    @app.agent(messages, concurrency=16)
    async def _agent(stream: Any) -> None:
        async for value in stream:
            message = json.loads(value)
            facts = {"key": message["key"], "topic": "", "number": message["number"], "id": message["id"]}
            journal.write("begin", **facts)
            slow = 20.0 if random.random() < 0.05 else 1.0  # noqa: S311 - not for secrets
            await asyncio.sleep(random.expovariate(1.0) * options["mean_step_s"] * slow)
            journal.write("end", **facts)

    async def say_ready(*_: Any, **__: Any) -> None:
        journal.write("ready")

    app.on_startup_finished = say_ready
    journal.write("boot")
    worker = Worker(app, loglevel="ERROR", redirect_stdouts=False)
    worker.execute_from_commandline()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), Path(sys.argv[2]))
