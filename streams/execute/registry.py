"""The tools that this process can run, by name; and those that authors bring in modules of their own."""

import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from llm.completion import ToolSpec
from schemas.errors import FatalError, MaestroError
from streams.execute.tool import Tool


class Registry:
    """Tools by name. The same tool may come twice; raises FatalError when two have the same name."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        found: dict[str, Tool] = {}
        for item in tools:
            if found.get(item.name, item) is not item:
                message = f"two tools are named {item.name!r}; rename one"
                raise FatalError(message)
            found[item.name] = item
        self._tools: Mapping[str, Tool] = found
        self._specs = {name: item.spec for name, item in found.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._tools))

    @property
    def tools(self) -> Mapping[str, Tool]:
        """All tools by name."""
        return self._tools

    def get(self, name: str) -> Tool | None:
        """Return the tool of that name."""
        return self._tools.get(name)

    def specs(self, names: Iterable[str]) -> tuple[ToolSpec, ...]:
        """Return the named tools as a model sees them; names without a tool are left out."""
        known = self._specs
        return tuple([known[name] for name in names if name in known])


def tools_of_modules(modules: Iterable[str], folders: Iterable[str] = ()) -> Iterator[Tool]:
    """Yield the tools that the named modules hold; modules are also looked up in `folders`, after all others.

    Raises:
        FatalError: a module cannot be imported or holds none.

    """
    for folder in folders:
        # Appended: a folder of the author's must not take the place of a module of ours or of a library.
        place = str(Path(folder).expanduser().absolute())
        if place not in sys.path:
            sys.path.append(place)
    for name in modules:
        try:
            module = importlib.import_module(name)
        except MaestroError:
            raise
        except Exception as error:
            # A module of others may raise anything while it is imported.
            reason = f"{type(error).__name__}: {error}"
            message = f"the tool module {name!r} cannot be imported ({reason}); see MAESTRO_TOOL_MODULES"
            raise FatalError(message) from error
        found = [value for value in vars(module).values() if isinstance(value, Tool)]
        if not found:
            message = (
                f"the tool module {name!r} holds no tool; decorate its functions with maestro.tools.tool"
            )
            raise FatalError(message)
        yield from found
