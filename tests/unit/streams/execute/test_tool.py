"""The decorator that makes tools: what fits, and what it says where something does not."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, Field

from maestro import tools as for_authors
from schemas.errors import FatalError
from schemas.lists import EffectClass
from streams.execute.tool import DEFAULT_POOL, DEFAULT_TIME_LIMIT_S, Tool, ToolContext, tool
from tests.unit.streams.execute.tools_for_tests import CONTEXT


class City(BaseModel):
    """Where."""

    name: str = Field(description="Name of the city.")


async def weather(arguments: City, _context: ToolContext) -> str:
    """Tell the weather.

    In a city.
    """
    return f"sunny in {arguments.name}"


async def ask_outside(_arguments: City, _context: ToolContext) -> for_authors.Reconciled:
    """Ask what became of it."""
    return for_authors.WasNotDone()


def test_what_authors_import_makes_a_tool_that_can_be_called_as_it_is_written() -> None:
    assert for_authors.tool is tool
    assert {"EffectClass", "Tool", "ToolContext", "ToolError", "tool"} <= set(for_authors.__all__)
    assert {"WasDone", "WasNotDone", "CannotTell", "TransientError"} <= set(for_authors.__all__)
    assert all(hasattr(for_authors, name) for name in for_authors.__all__)


async def test_a_tool_has_its_functions_name_and_docstring_and_still_runs() -> None:
    made = tool(effect="pure")(weather)
    assert (made.name, made.description) == ("weather", "Tell the weather.\n\nIn a city.")
    assert (made.arguments, made.effect) == (City, EffectClass.PURE)
    assert (made.time_limit_s, made.pool) == (DEFAULT_TIME_LIMIT_S, DEFAULT_POOL)
    assert await made(City(name="Madrid"), CONTEXT) == "sunny in Madrid"


def test_a_model_sees_name_description_and_the_fields_without_pydantics_titles_of_the_whole() -> None:
    spec = tool(effect=EffectClass.IDEMPOTENT, name="get-weather", pool="web", time_limit_s=3)(weather).spec
    assert spec.name == "get-weather"
    assert spec.parameters["required"] == ["name"]
    assert spec.parameters["properties"]["name"]["description"] == "Name of the city."
    assert not {"title", "description"} & set(spec.parameters)


def test_a_tool_that_can_be_asked_about_brings_the_question() -> None:
    made = tool(effect="reconcile", reconcile=ask_outside)(weather)
    assert made.reconcile is ask_outside


def not_async(_arguments: City, _context: ToolContext) -> None:
    """Be blocking."""


async def no_docstring(_arguments: City, _context: ToolContext) -> None: ...


async def one_argument(_arguments: City) -> None:
    """Know nobody."""


async def no_argument() -> None:
    """Take nothing."""


async def no_annotations(arguments, context) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Say nothing."""


async def no_model(_arguments: str, _context: ToolContext) -> None:
    """Take text."""


async def by_name_only(*, arguments: City, context: ToolContext) -> None:
    """Want names."""
    _ = arguments, context


async def many(*arguments: City, context: ToolContext) -> None:
    """Take many."""
    _ = arguments, context


async def unknown_annotation(_arguments: "Nowhere", _context: ToolContext) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Name what is not there."""


TAKES = r"must take \(arguments: a pydantic model, context: ToolContext\)"


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (not_async, "must be an async function; run blocking code with asyncio.to_thread"),
        (no_docstring, "needs a docstring: it is what the model reads"),
        (one_argument, TAKES),
        (no_argument, TAKES),
        (no_annotations, TAKES),
        (no_model, TAKES),
        (by_name_only, TAKES),
        (many, TAKES),
        (unknown_annotation, "'Nowhere' is not defined; import what its annotations name also at run time"),
    ],
)
def test_a_function_that_does_not_fit_is_refused_with_what_to_do(
    function: Callable[..., Any], told: str
) -> None:
    with pytest.raises(FatalError, match=f"tool '{function.__name__}'.*{told}"):
        _ = tool(effect="pure")(function)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"effect": "harmless"}, "effect must be one of pure, idempotent, reconcile, once, not 'harmless'"),
        ({"effect": "unknown"}, "effect must be one of"),
        ({"effect": "pure", "name": "get weather"}, "needs a name of letters, digits, _ and -, at most 64"),
        ({"effect": "pure", "name": "x" * 65}, "at most 64"),
        ({"effect": "pure", "name": "9lives"}, "needs a name"),
        ({"effect": "pure", "time_limit_s": 0}, "needs a time limit above 0 s"),
        ({"effect": "reconcile"}, "needs a reconcile function exactly when its effect is reconcile"),
        ({"effect": "once", "reconcile": ask_outside}, "exactly when its effect is reconcile"),
    ],
)
def test_options_that_do_not_fit_are_refused_with_what_to_do(options: dict[str, Any], told: str) -> None:
    with pytest.raises(FatalError, match=told):
        _ = tool(**options)(weather)


def test_an_undecorated_function_is_no_tool() -> None:
    assert not isinstance(weather, Tool)
