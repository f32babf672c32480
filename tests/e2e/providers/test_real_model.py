"""Worker processes with a model behind HTTP: from a message to the answer, usage and cost on the run."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from maestro.embedded.stack import EmbeddedStack
from schemas import ids
from schemas.agent_file import AgentFile, Planning
from schemas.lists import CommandKind, RunStatus
from schemas.records import SessionCommand, UserMessage
from tests.fakes.model_server import ModelServer, Refuses, Says, model_server
from tests.fleet.fleet import Fleet, running_fleet
from tests.fleet.runs import Runs, reading_runs, sink_is_level

ANSWER_LIMIT_S = 45.0
"""The first call of a process loads the provider library."""
PRICE_OF_A_CALL = (1000 * 0.15 + 100 * 0.6) / 1e6
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
CLOCK = {"id": "call_1", "name": "current_time", "arguments": "{}"}
AGENT = AgentFile(
    id="assistant",
    model="openai/gpt-4o-mini",
    fallback_models=("openai/gpt-4o",),
    planning=Planning.NONE,
    tools=("current_time",),
)


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[ModelServer]:
    async with model_server() as running:
        yield running


@pytest.fixture(scope="module")
async def fleet(
    stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory, server: ModelServer
) -> AsyncIterator[Fleet]:
    environment = {
        "MAESTRO_MODEL_BASE_URL": server.openai_url,
        "MAESTRO_MODEL_API_KEY": "sk-of-the-test",
        "MAESTRO_MODEL_RETRY_FIRST_S": "0.1",
    }
    folder: Path = tmp_path_factory.mktemp("provider-fleet")
    async with running_fleet(stack, folder, partitions=3, extra_env=environment) as running:
        await running.apply(AGENT)
        yield running


@pytest.fixture(scope="module")
async def runs(fleet: Fleet) -> AsyncIterator[Runs]:
    async with reading_runs(fleet) as reading:
        yield reading


async def asked(fleet: Fleet, session_id: str) -> str:
    message = UserMessage(id=ids.new_id(), session_id=session_id, user_id="alice", content="how late is it?")
    await fleet.publish(message)
    assert message.id is not None
    return message.id


@pytest.mark.timeout(120)
async def test_a_message_is_answered_through_passing_trouble_and_fails_by_a_code_where_it_lasts(
    fleet: Fleet, runs: Runs, server: ModelServer
) -> None:
    server.replies[:] = [
        Says((), USAGE, calls=(CLOCK,)),
        Refuses(429, headers={"retry-after": "1"}),
        Refuses(500),
        Says(("It is ", "late."), USAGE),
        Refuses(401),
    ]
    session_id = ids.new_id()
    first = await asked(fleet, session_id)
    await runs.wait([first], within_s=ANSWER_LIMIT_S)
    run = runs.by_message[first]
    assert (run.status, run.output) == (RunStatus.COMPLETED, "It is late.")
    assert (run.generations, run.tool_calls) == (2, 1)
    assert (run.prompt_tokens, run.completion_tokens, run.total_tokens) == (2000, 200, 2200)
    assert run.cost_estimate == pytest.approx(2 * PRICE_OF_A_CALL)
    assert len(server.asked) == 4
    assert server.at_s[2] - server.at_s[1] >= 1.0
    assert server.headers[0]["authorization"] == "Bearer sk-of-the-test"
    keys = [each["idempotency-key"] for each in server.headers]
    assert keys == [ids.generation_id(run.id, 0), *[ids.generation_id(run.id, 1)] * 3]
    assert [message["role"] for message in server.asked[3]["messages"]][-2:] == ["assistant", "tool"]

    second = await asked(fleet, session_id)
    await runs.wait([second], within_s=ANSWER_LIMIT_S)
    failed = runs.by_message[second]
    assert (failed.status, failed.error_code) == (RunStatus.FAILED, "model_authentication")
    assert "sk-of-the-test" not in (failed.error_message or "")
    assert [each["model"] for each in server.asked[4:]] == ["gpt-4o-mini", "gpt-4o"]

    await sink_is_level(fleet, within_s=ANSWER_LIMIT_S)
    rows = await fleet.database.fetch(
        "select status, model_name, total_tokens, cost_estimate, error_code from generations"
        " where session_id = $1 order by created_at",
        session_id,
    )
    assert [(row["status"], row["total_tokens"], row["error_code"]) for row in rows] == [
        ("completed", 1100, None),
        ("completed", 1100, None),
        ("failed", 0, "model_authentication"),
    ]
    assert sum(row["cost_estimate"] or 0 for row in rows) == pytest.approx(2 * PRICE_OF_A_CALL)


@pytest.mark.timeout(120)
async def test_the_call_of_a_cancelled_run_is_closed(fleet: Fleet, runs: Runs, server: ModelServer) -> None:
    server.asked.clear()
    server.replies[:] = [Says(("Let me think",), hangs=True)]
    session_id = ids.new_id()
    message = await asked(fleet, session_id)
    async with asyncio.timeout(ANSWER_LIMIT_S):
        while not server.asked:  # noqa: ASYNC110  a server gives no sign
            await asyncio.sleep(0.05)
    cancel = SessionCommand(
        id=ids.new_id(),
        session_id=session_id,
        user_id="alice",
        kind=CommandKind.CANCEL,
        run_id=ids.run_id(session_id, message),
    )
    await fleet.publish(cancel)
    await runs.wait([message], within_s=ANSWER_LIMIT_S)
    assert runs.by_message[message].status is RunStatus.CANCELLED
    async with asyncio.timeout(ANSWER_LIMIT_S):
        await server.gone.wait()
