"""Which methods a path takes: what `Allow` says to a request with another one."""

from collections.abc import Sequence

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path


def allowed(routes: Sequence[BaseRoute], path: str) -> str:
    """Return the methods that a path takes by any of its routes; the framework names the first one's."""
    taken: set[str] = set()
    for context in iter_route_contexts(routes):
        regex, *_ = compile_path(context.path or "")
        if regex.match(path):
            taken.update(context.methods or ())
    return ", ".join(sorted(taken))
