"""Schemathesis on the real app: no answer outside the API document, and no fault of the server."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from api.openapi import PATH
from bus.agents_table import AgentsTable
from maestro.embedded.stack import EmbeddedStack
from maestro.wiring.http_server import bounded
from schemas.agent_file import AgentFile
from schemas.topics import RUNS
from telemetry.health import Health, Verdict
from tests.integration.api.house import open_house
from tests.integration.api.people import Person
from tests.unit.api.edges import token_of

EXAMPLES = 2
SEED = 6
LIMIT_S = 150.0
MOST_HEAD_BYTES = 65_536
START_LIMIT_S = 30.0
HOOKS = "tests.integration.api.known_ids"
BEAT_EVERY_S = 1.0
LIMITS = {"running_runs": 1_000_000, "run_wait_s": 0.01, "read_wait_s": 0}
"""Nothing works on runs and no session is written here, so neither is waited for. Agents are: see below."""

CONFIGURATION = """
[[operations]]
include-operation-id = ["create_agent", "change_agent"]
phases.coverage.enabled = false

[phases.examples]
extra-data-sources.responses = false
[phases.coverage]
extra-data-sources.responses = false
[phases.fuzzing]
extra-data-sources.responses = false
"""
"""A configuration has so many keys that all their bounds would be half of the requests. Ids come from the
hooks: what a call has made here stays out of the record, because no sink runs.
"""


@asynccontextmanager
async def served(app: FastAPI) -> AsyncGenerator[str]:
    """Serve an application on a port of this machine; yields its address."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            port=0,
            http=bounded(MOST_HEAD_BYTES),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
        )
    )
    server.install_signal_handlers = lambda: None  # type: ignore[method-assign]
    serving = asyncio.create_task(server.serve(), name="server")
    try:
        async with asyncio.timeout(START_LIMIT_S):
            while not server.started:  # noqa: ASYNC110  it has no event for it
                await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def alive(health: Health) -> AsyncGenerator[None]:
    """Say that all is well, as the process of an edge does."""

    async def beat() -> None:
        while True:
            health.beat(Verdict(True))
            await asyncio.sleep(BEAT_EVERY_S)

    beating = asyncio.create_task(beat(), name="beat")
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


async def schemathesis(url: str, token: str, ids: dict[str, list[str]], folder: Path) -> tuple[int, str]:
    """Run all checks of schemathesis; return its exit code and what it says."""
    configuration, said = folder / "schemathesis.toml", folder / "said.txt"
    configuration.write_text(CONFIGURATION)
    arguments = [
        *(
            "--config-file",
            str(configuration),
            "run",
            str(PATH),
            "--url",
            url,
            "--header",
            f"Authorization: Bearer {token}",
        ),
        *("--phases", "examples,coverage,fuzzing", "--checks", "all"),
        *("--max-examples", str(EXAMPLES), "--seed", str(SEED), "--generation-database", "none"),
        *("--request-timeout", "30", "--continue-on-failure", "--no-color", "--warnings", "off"),
    ]
    with said.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "schemathesis.cli", *arguments,
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parents[3]),
                "SCHEMATHESIS_HOOKS": HOOKS,
                "MAESTRO_TEST_IDS": json.dumps(ids),
            },
            stdout=out,
            stderr=out,
        )  # fmt: skip
    try:
        async with asyncio.timeout(LIMIT_S):
            code = await process.wait()
    except TimeoutError:
        process.kill()
        code = await process.wait()
    return code, said.read_text()


@pytest.mark.timeout(LIMIT_S + 60)
async def test_every_answer_is_one_of_the_document(
    stack: EmbeddedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = AgentsTable.reached

    async def patiently(table: AgentsTable, offsets: Mapping[int, int], deadline_s: float) -> None:
        del deadline_s
        await reached(table, offsets, LIMIT_S)

    monkeypatch.setattr(AgentsTable, "reached", patiently)
    person = Person("ada@document")
    async with open_house(stack, **LIMITS) as house:
        await house.record(*person.records())
        await asyncio.gather(*map(house.ground.publish, person.agents()))
        await house.ground.apply(AgentFile(id="assistant"))
        await house.edge.agents.barrier(LIMIT_S)
        ids = {
            "session_id": [made.session_id for made in person.unused],
            "run_id": [person.fresh("run")],
            "task_id": [person.fresh("task")],
            "tool_call_id": [person.fresh("tool call")],
            "agent_id": list(person.unused_agents),
            "subject": [f"{house.edge.names.full(RUNS)}-value"],
        }
        async with alive(house.edge.health), served(house.app) as url:
            token = token_of(house.edge.settings, person.user_id, lives_s=3_600)
            code, said = await schemathesis(url, token, ids, tmp_path)
    assert code == 0, said
