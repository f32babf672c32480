"""A whole Maestro of real processes, each role once, and how to look at it from outside."""

import json
import os
import re
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from maestro.embedded.folder import DataFolder
from maestro.embedded.keeper import RoleSpec
from maestro.embedded.stack import EmbeddedStack
from maestro.embedded.supervisor import RoleStatus, Supervisor
from schemas.agent_file import AgentFile, Planning
from tests.fleet.fleet import READY_LIMIT_S, Fleet, running_fleet

HERE = Path(__file__).parent
MARKER = "Zebulon-7f3a"
"""Is in everything that people write in these tests, and nowhere else."""
SESSIONS = 5
AGENT = AgentFile(
    id="assistant", model="rehearsal:loud", planning=Planning.NONE, tools=("shout", "repeat_after_me")
)
PARTITIONS = 3
_MORE_SINKS = (
    RoleSpec(name="sink-embeddings", arguments=("sink", "embeddings")),
    RoleSpec(name="sink-recents", arguments=("sink", "recents")),
)
_OURS = re.compile(r"(MAESTRO|KAFKA|DATABASE|REDIS|SCHEMA_REGISTRY)_")


@dataclass(frozen=True, slots=True)
class Sample:
    """One number of one process."""

    program: str
    name: str
    labels: dict[str, str]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The running processes."""

    fleet: Fleet
    supervisors: tuple[Supervisor, ...]

    @property
    def statuses(self) -> tuple[RoleStatus, ...]:
        """Every process."""
        return tuple(status for each in self.supervisors for status in each.statuses())

    async def get(self, status: RoleStatus, path: str) -> httpx.Response:
        """Ask one process."""
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{status.health_port}", timeout=10) as client:
            return await client.get(path)

    async def samples(self) -> list[Sample]:
        """Scrape every process."""
        found: list[Sample] = []
        for status in self.statuses:
            text = (await self.get(status, "/metrics")).text
            found += [
                Sample(status.name, sample.name, dict(sample.labels), sample.value)
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            ]
        return found

    def log_lines(self) -> Iterator[tuple[str, str]]:
        """Yield program and line of everything that was logged."""
        for status in self.statuses:
            for line in Path(status.log).read_text().splitlines():
                yield status.name, line

    def log_entries(self) -> list[dict[str, Any]]:
        """Return all lines that are JSON."""
        return [json.loads(line) for _, line in self.log_lines() if line.startswith("{")]


@asynccontextmanager
async def running_house(stack: EmbeddedStack, folder: Path) -> AsyncGenerator[House]:
    """Run every role once."""
    env = {
        "MAESTRO_MODEL_REHEARSAL_SCRIPTS": str(HERE / "rehearsal"),
        "MAESTRO_TOOL_MODULES": "tests.integration.observed.loud_tools",
    }
    own, theirs = folder / "fleet", folder / "sinks"
    for each in (own, theirs):
        each.mkdir()
    async with running_fleet(stack, own, partitions=PARTITIONS, extra_env=env) as fleet:
        await fleet.apply(AGENT)
        sinks = Supervisor(_MORE_SINKS, folder=DataFolder(theirs), env=environment(fleet))
        async with sinks:
            await sinks.wait_ready(READY_LIMIT_S)
            yield House(fleet=fleet, supervisors=(fleet.supervisor, sinks))


def environment(fleet: Fleet) -> dict[str, str]:
    """Return what a further process of the fleet needs."""
    plain = {name: value for name, value in os.environ.items() if not _OURS.match(name)}
    return {**plain, **fleet.env}


class Deadline:
    """How long a test waits for something."""

    def __init__(self, within_s: float) -> None:
        self._until_s = time.monotonic() + within_s

    def check(self, what: str) -> None:
        """Fail when the time is over."""
        assert time.monotonic() < self._until_s, f"not in time: {what}"
