"""Starts Maestro on the bench's services: one process of each role, and a caller."""

import sys
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

from bench.caller import Caller, calling
from bench.children import children
from bus.admin import Admin
from bus.codec import Codec
from bus.names import TopicNames
from bus.publisher import Publisher
from bus.settings import KafkaSettings, TopicSettings
from maestro.embedded.stack import StackUrls
from schemas.agent_file import AgentFile
from schemas.lists import RunStatus
from schemas.topics import RUNS, USER_MESSAGES
from stores.postgres.migrate import migrate
from telemetry.tracing import derived

_ENDS = frozenset(status.value for status in RunStatus if status.is_terminal)
AGENT_ID = "bench"
_AGENT = AgentFile(id=AGENT_ID, model="rehearsal:bench", tools=("current_time",))
_SCRIPT = """
rules:
  - when: { stage: results }
    say: "It is {{ result.now }}."
  - say: "Plan: look at the clock."
    call: [{ tool: current_time }]
"""
_COMMANDS = {
    "session": ("worker", "session"),
    "generate": ("worker", "generate"),
    "execute": ("worker", "execute"),
    "sink": ("sink", "postgres"),
}


@asynccontextmanager
async def maestro(urls: StackUrls, pids: dict[str, int], logs: str) -> AsyncGenerator[Caller]:
    """Run Maestro while the context is open; `pids` gets its processes."""
    kafka, topics = KafkaSettings(bootstrap_servers=urls.kafka_bootstrap), TopicSettings()
    names, codec = TopicNames(topics.prefix), Codec()
    await migrate(urls.database_url)
    async with Admin(kafka, topics) as admin:
        await admin.create_topics()
    await _publish_agent(Publisher(kafka, names=names, codec=codec, source="bench"))

    def is_end(value: bytes) -> bool:
        return codec.decode_plain(RUNS, value)["status"] in _ENDS

    commands = {name: (sys.executable, "-m", "maestro", *words) for name, words in _COMMANDS.items()}
    async with (
        children(commands, env=environment(urls, logs), logs=logs, pids=pids, says=None),
        calling(
            urls.kafka_bootstrap,
            ask_on=names.full(USER_MESSAGES),
            wait_on=names.full(RUNS),
            value_of=_question,
            is_end=is_end,
        ) as caller,
    ):
        yield caller


def _question(session: str) -> bytes:
    return orjson.dumps(
        {
            "id": str(uuid.uuid4()),
            "session_id": session,
            "user_id": "bench",
            "content": "What time is it?",
            "agent_id": _AGENT.id,
        }
    )


def environment(urls: StackUrls, logs: str) -> dict[str, str]:
    """Return what leads a process of Maestro to the services; `logs` is a folder that exists."""
    scripts = Path(logs) / "rehearsal"
    scripts.mkdir(exist_ok=True)
    (scripts / "bench.yaml").write_text(_SCRIPT)
    return {
        "KAFKA_BOOTSTRAP_SERVERS": urls.kafka_bootstrap,
        "DATABASE_URL": urls.database_url,
        "REDIS_URL": urls.redis_url,
        "MAESTRO_MODEL_REHEARSAL_SCRIPTS": str(scripts),
        "MAESTRO_LOG_LEVEL": "warning",
        # Contexts of 8 to 13 KB (the floor has 8): else they grow with the runs that a level asks for.
        "MAESTRO_SESSION_HISTORY_BYTES": "3000",
        "MAESTRO_SESSION_SUMMARY_BYTES": "500",
    }


async def _publish_agent(publisher: Publisher) -> None:
    await publisher.start()
    try:
        await publisher.publish(_AGENT.record(user_id=None, now=datetime.now(UTC)), trace=derived("bench"))
    finally:
        await publisher.stop()
