"""What `maestro init` writes works: its agent fits, and its tools answer the offline model's calls."""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from llm.completion import CompletionRequest
from llm.models import build_models
from llm.settings import ModelSettings
from maestro.cli.agents_check import check
from maestro.cli.init import FILES, init
from maestro.settings import read_env_file
from maestro.wiring.tools import build_registry
from schemas.agent_file import parse_agents
from schemas.examples import TOOL_CALL
from schemas.lists import ToolOutcome
from schemas.records import ToolResult
from streams.execute.invoke import Invoker
from streams.execute.job import ExecuteJob, Executing
from telemetry.tracing import derived

ATTEMPT = "01980000-0000-7000-8000-0000000000aa"


class NoRecord:
    """A record without results."""

    async def tool_result(self, tool_call_id: str) -> ToolResult | None:
        _ = tool_call_id
        return None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that `init` has written, with its settings in force, as for commands that start there."""
    place = tmp_path / "shop"
    result = CliRunner().invoke(init, [str(place)], catch_exceptions=False)
    assert result.exit_code == 0
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(os.environ)
    _ = read_env_file(Path(".env"))
    yield place
    for name in set(os.environ) - before:
        del os.environ[name]
    _ = sys.modules.pop("my_tools", None)


def test_all_files_are_written_and_none_is_overwritten(folder: Path) -> None:
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == set(FILES)
    (folder / "my_tools.py").write_text("mine")
    (folder / "agents.yaml").unlink()
    result = CliRunner().invoke(init, [str(folder)])
    assert result.exit_code == 2
    assert "my_tools.py" in result.stderr
    assert (folder / "my_tools.py").read_text() == "mine"
    assert not (folder / "agents.yaml").exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(init, [str(tmp_path / "file" / "below")])
    assert result.exit_code == 2


@pytest.mark.usefixtures("folder")
def test_its_agent_fits() -> None:
    result = CliRunner().invoke(check, ["agents.yaml"], catch_exceptions=False)
    assert result.exit_code == 0


@pytest.mark.usefixtures("folder")
def test_every_effect_class_is_shown() -> None:
    registry = build_registry()
    (agent,) = parse_agents(Path("agents.yaml").read_text(), source="agents.yaml")
    effects = {tool.effect.value for name in agent.tools if (tool := registry.get(name)) is not None}
    assert effects == {"pure", "idempotent", "reconcile", "once"}


def job_of(name: str, arguments: object, *, approved_by: str | None = None) -> ExecuteJob:
    executing = Executing(
        registry=build_registry(),
        invoker=Invoker(pool_size=1, result_limit_bytes=10_000),
        record=NoRecord(),
    )
    call = TOOL_CALL.model_copy(
        update={
            "name": name,
            "arguments": orjson.dumps(arguments).decode(),
            "approved_by": approved_by,
            "deadline_at": datetime.now(UTC) + timedelta(minutes=1),
        }
    )
    return executing.job(call, partition=0, trace=derived("x"))


async def said(question: str, approved_by: str | None = None) -> str:
    """Play a run: the model asks for a tool, the tool runs, the model answers with its result."""
    (agent,) = parse_agents(Path("agents.yaml").read_text(), source="agents.yaml")
    model = build_models(ModelSettings())
    messages: list[dict[str, Any]] = [{"role": "user", "content": question}]
    request = CompletionRequest(
        id="1", model=agent.model, messages=tuple(messages), tools=build_registry().specs(agent.tools)
    )
    asked = await model.complete(request, lambda _text: None)
    if not asked.tool_calls:
        return asked.text
    (call,) = asked.tool_calls
    result = await job_of(call.name, call.arguments, approved_by=approved_by).work(ATTEMPT)
    text = result.result if result.success else f"Error ({result.error_code}): {result.error_message}"
    messages += [
        {"role": "assistant", "content": asked.text, "tool_calls": [{"id": call.id}]},
        {"role": "tool", "tool_call_id": call.id, "content": text},
    ]
    answer = await model.complete(
        CompletionRequest(id="2", model=agent.model, messages=tuple(messages)), lambda _text: None
    )
    return answer.text


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How much is tea?", "One tea costs 250 cents."),
        ("What does the coffee cost", "One coffee costs 390 cents."),
        ("How much is gold?", "That did not work: Error (tool_failed): there is no gold"),
        ("Please order 2 coffee", "Ordered: 2 x coffee, 780 cents together."),
        ("I wish for juice", "I noted that you wish for juice."),
        ("Hello", "Ask me what tea costs"),
    ],
)
async def test_a_question_is_answered_offline_through_its_tools(question: str, answer: str) -> None:
    assert (await said(question)).startswith(answer)


async def test_a_letter_needs_somebodys_word(folder: Path) -> None:
    assert "denied" in await said("Write to Bob: hello")
    assert not (folder / "letters.txt").exists()
    assert await said("Write to Bob: hello", approved_by="alice") == "The letter is sent."
    assert (folder / "letters.txt").read_text() == "Write to Bob: hello\n"


async def test_an_order_whose_worker_died_is_found_again(folder: Path) -> None:
    order = job_of("place_order", {"product": "tea", "pieces": 3})
    assert await order.reconcile(ATTEMPT) is None
    made = await order.work(ATTEMPT)
    found = await order.reconcile(ATTEMPT)
    assert found is not None
    assert (found.outcome, orjson.loads(found.result)) == (ToolOutcome.SUCCEEDED, orjson.loads(made.result))
    assert len((folder / "orders.jsonl").read_text().splitlines()) == 1
