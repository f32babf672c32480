"""The registry of tools, and the modules that authors name."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import FatalError
from streams.execute.registry import Registry, tools_of_modules
from streams.execute.settings import ToolSettings
from tests.unit.streams.execute.tools_for_tests import returning

GREET = '''
from pydantic import BaseModel
from maestro.tools import ToolContext, tool


class Whom(BaseModel):
    name: str


@tool(effect="pure")
async def {name}(arguments: Whom, context: ToolContext) -> str:
    """Greet somebody."""
    return f"Hello {{arguments.name}}"
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that modules are imported from."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def test_tools_are_found_by_name_and_shown_in_the_order_that_is_asked_for() -> None:
    a, b = returning(1, name="a"), returning(2, name="b")
    registry = Registry([b, a])
    assert registry.names == ("a", "b")
    assert registry.get("a") is a
    assert registry.get("c") is None
    assert [spec.name for spec in registry.specs(["b", "gone", "a"])] == ["b", "a"]


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(FatalError, match="two tools are named 'a'; rename one"):
        _ = Registry([returning(1, name="a"), returning(2, name="a")])


def test_the_same_tool_may_come_twice() -> None:
    one = returning(1, name="a")
    assert Registry([one, one]).names == ("a",)


def test_a_module_brings_its_tools(folder: Path) -> None:
    (folder / "greeting_module.py").write_text(GREET.format(name="greet"))
    (found,) = tools_of_modules(["greeting_module"])
    assert (found.name, found.description) == ("greet", "Greet somebody.")


def test_a_module_may_use_the_tool_of_another(folder: Path) -> None:
    (folder / "first_module.py").write_text(GREET.format(name="greet"))
    (folder / "second_module.py").write_text("from first_module import greet\n" + GREET.format(name="wave"))
    assert Registry(tools_of_modules(["first_module", "second_module"])).names == ("greet", "wave")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError.*nothing_of_that_name"),
        ("def broken(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_module_that_cannot_be_imported_says_why_and_which_setting_names_it(
    folder: Path, text: str, told: str
) -> None:
    (folder / "broken_module.py").write_text(text)
    with pytest.raises(
        FatalError, match=f"'broken_module' cannot be imported .*{told}.*MAESTRO_TOOL_MODULES"
    ):
        _ = list(tools_of_modules(["broken_module"]))


@pytest.mark.parametrize("name", ["no_such_module", ".relative", "no.such.module"])
def test_a_module_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(FatalError, match=f"'{name}' cannot be imported"):
        _ = list(tools_of_modules([name]))


def test_a_tool_that_does_not_fit_says_so_itself(folder: Path) -> None:
    (folder / "unfit_module.py").write_text(GREET.format(name="greet").replace('"pure"', '"nice"'))
    with pytest.raises(FatalError, match=r"^tool 'greet': effect must be one of"):
        _ = list(tools_of_modules(["unfit_module"]))


def test_a_module_without_tools_is_a_mistake(folder: Path) -> None:
    (folder / "empty_module.py").write_text("async def greet(): ...")
    with pytest.raises(FatalError, match="'empty_module' holds no tool; decorate its functions"):
        _ = list(tools_of_modules(["empty_module"]))


def test_modules_are_named_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAESTRO_TOOL_MODULES", " a.b, ,c ")
    assert ToolSettings().modules == ("a.b", "c")
