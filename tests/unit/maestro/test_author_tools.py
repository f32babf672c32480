"""A tool of an author's own: made with `maestro.tools`, named in a setting, called by a model."""

import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from maestro.settings import SettingsError
from maestro.wiring.tools import build_registry
from schemas.errors import FatalError
from schemas.examples import BORN, TOOL_CALL
from schemas.lists import ToolOutcome
from schemas.records import ToolResult
from streams.execute.invoke import Invoker
from streams.execute.job import Executing
from telemetry.tracing import derived

MODULE = "tools_of_an_author"
SOURCE = '''
"""Prices of a shop."""

from pydantic import BaseModel, Field

from maestro.tools import EffectClass, ToolContext, ToolError, tool


class Goods(BaseModel):
    """What to look for."""

    name: str = Field(description="Name of the goods.")


@tool(effect=EffectClass.PURE, time_limit_s=2, pool="shop")
async def price_of(arguments: Goods, context: ToolContext) -> dict[str, object]:
    """Return the price of goods in cents."""
    if arguments.name != "tea":
        raise ToolError(f"there is no {arguments.name}; there is tea")
    return {"cents": 250, "asked_by": context.user_id}
'''
ATTEMPT = "01980000-0000-7000-8000-0000000000aa"


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The author's module on the import path, named in the setting."""
    (tmp_path / f"{MODULE}.py").write_text(SOURCE)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("MAESTRO_TOOL_MODULES", MODULE)
    monkeypatch.setenv("MAESTRO_TOOL_PATH", str(tmp_path))
    yield
    _ = sys.modules.pop(MODULE, None)


class NoRecord:
    """A record without results."""

    async def tool_result(self, tool_call_id: str) -> ToolResult | None:
        _ = tool_call_id
        return None


async def called(arguments: str) -> ToolResult:
    executing = Executing(
        registry=build_registry(),
        invoker=Invoker(pool_size=1, result_limit_bytes=1000),
        record=NoRecord(),
        now=lambda: BORN,
    )
    call = TOOL_CALL.model_copy(update={"name": "price_of", "arguments": arguments})
    return await executing.job(call, partition=0, trace=derived("x")).work(ATTEMPT)


def test_it_stands_beside_the_built_in_ones_and_a_model_sees_what_it_takes() -> None:
    registry = build_registry()
    assert set(registry.names) == {
        "current_time",
        "http_fetch",
        "price_of",
        "save_document",
        "search_conversation",
        "sql_query",
    }
    (spec,) = registry.specs(["price_of"])
    assert spec.description == "Return the price of goods in cents."
    assert spec.parameters["properties"]["name"]["description"] == "Name of the goods."


async def test_its_value_and_its_error_reach_the_model() -> None:
    good = await called('{"name":"tea"}')
    assert orjson.loads(good.result) == {"cents": 250, "asked_by": TOOL_CALL.user_id}
    bad = await called('{"name":"coffee"}')
    assert (bad.outcome, bad.error_message) == (ToolOutcome.FAILED, "there is no coffee; there is tea")
    assert (await called("{}")).outcome is ToolOutcome.INVALID_ARGUMENTS


def test_a_name_that_a_built_in_tool_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"{MODULE}.py").write_text(SOURCE.replace("price_of", "sql_query"))
    with pytest.raises(FatalError, match="two tools are named 'sql_query'"):
        _ = build_registry()


def test_a_setting_that_does_not_fit_is_told_before_any_module_is_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAESTRO_SQL_ROW_LIMIT", "0")
    with pytest.raises(SettingsError, match="MAESTRO_SQL_ROW_LIMIT"):
        _ = build_registry()
    assert MODULE not in sys.modules


def test_the_authors_folder_takes_the_place_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "schemas.py").write_text("raise RuntimeError")
    _ = build_registry()
    assert sys.path[-1] == str(tmp_path)
