"""What a tool is: an async function with an argument model, an effect class, a time limit and a pool."""

import inspect
import re
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from msgspec import Struct
from pydantic import BaseModel

from llm.completion import ToolSpec
from schemas.agent_file import Approval
from schemas.errors import ErrorCode, FatalError, MaestroError
from schemas.lists import EffectClass
from streams.execute.reconcile import Reconciled

DEFAULT_TIME_LIMIT_S: Final = 60.0
DEFAULT_POOL: Final = "default"
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}")

A = TypeVar("A", bound=BaseModel)


class ToolError(MaestroError):
    """Raised by a tool: the message goes to the model and to people, so it must hold no secrets."""

    code = ErrorCode.TOOL_FAILED


class ToolContext(Struct, frozen=True, kw_only=True):
    """Who calls. `step_id` is the same in every attempt: the idempotency key towards the outside world.

    `approved_by` names the person who allowed the call, where one was asked. `traceparent` is the W3C trace
    context of the run, for requests that the tool makes.
    """

    session_id: str
    user_id: str
    run_id: str
    step_id: str
    agent_id: str | None = None
    approved_by: str | None = None
    traceparent: str = ""


Run = Callable[[Any, ToolContext], Awaitable[Any]]
Reconcile = Callable[[Any, ToolContext], Awaitable[Reconciled]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool that can be registered. Calling it runs the function, without validation or limits."""

    name: str
    description: str
    arguments: type[BaseModel]
    run: Run
    effect: EffectClass
    time_limit_s: float = DEFAULT_TIME_LIMIT_S
    pool: str = DEFAULT_POOL
    reconcile: Reconcile | None = None
    """Asks the outside world what became of an earlier try; only for the effect class `reconcile`."""
    approval: Approval = Approval.NEVER
    """`always`: it never starts for a call that no person approved."""

    @property
    def spec(self) -> ToolSpec:
        """The tool as a model sees it."""
        schema = self.arguments.model_json_schema()
        schema.pop("title", None)
        schema.pop("description", None)
        return ToolSpec(name=self.name, description=self.description, parameters=schema)

    async def __call__(self, arguments: BaseModel, context: ToolContext) -> Any:
        """Run the function."""
        return await self.run(arguments, context)


def tool(
    *,
    effect: EffectClass | str,
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    pool: str = DEFAULT_POOL,
    name: str | None = None,
    reconcile: Callable[[A, ToolContext], Awaitable[Reconciled]] | None = None,
    approval: Approval | str = Approval.NEVER,
) -> Callable[[Callable[[A, ToolContext], Awaitable[Any]]], Tool]:
    """Make a tool of an async function `(arguments: Model, context: ToolContext) -> JSON value`.

    The docstring is what the model reads. `effect` says what repeating the call does: `pure` (there is none),
    `idempotent` (twice is as once), `reconcile` (the outside world can be asked: `reconcile` takes the same
    arguments and answers `WasDone(value)`, `WasNotDone()` or `CannotTell(reason)` before a step is taken over
    that may have been started), `once` (it must never start twice). With `approval="always"` no call starts
    that nobody approved, whatever the agent's file says. `pool` names the limit on calls at a time that the
    tool shares; `time_limit_s` ends a call.

    Raises:
        FatalError: the function does not fit; the message says how.

    """

    def make(function: Callable[[A, ToolContext], Awaitable[Any]]) -> Tool:
        chosen = name or getattr(function, "__name__", "")
        description = inspect.getdoc(function) or ""
        kind = _effect(effect, chosen)
        problem = _problem(
            chosen, description, function, kind, time_limit_s, has_reconcile=reconcile is not None
        )
        if problem is not None:
            message = f"tool {chosen!r} {problem}"
            raise FatalError(message)
        return Tool(
            name=chosen,
            description=description,
            arguments=_argument_model(function, chosen),
            run=function,
            effect=kind,
            time_limit_s=time_limit_s,
            pool=pool,
            reconcile=reconcile,
            approval=_approval(approval, chosen),
        )

    return make


def _effect(effect: EffectClass | str, name: str) -> EffectClass:
    known = [kind for kind in EffectClass if kind is not EffectClass.UNKNOWN]
    if effect not in known:
        message = f"tool {name!r}: effect must be one of {', '.join(known)}, not {effect!r}"
        raise FatalError(message)
    return EffectClass(effect)


def _approval(approval: Approval | str, name: str) -> Approval:
    known = list(Approval)
    if approval not in known:
        message = f"tool {name!r}: approval must be one of {', '.join(known)}, not {approval!r}"
        raise FatalError(message)
    return Approval(approval)


def _problem(
    name: str,
    description: str,
    function: Callable[..., Any],
    effect: EffectClass,
    time_limit_s: float,
    *,
    has_reconcile: bool,
) -> str | None:
    if not _NAME.fullmatch(name):
        return "needs a name of letters, digits, _ and -, at most 64"
    if not inspect.iscoroutinefunction(function):
        return "must be an async function; run blocking code with asyncio.to_thread"
    if not description:
        return "needs a docstring: it is what the model reads"
    if time_limit_s <= 0:
        return "needs a time limit above 0 s"
    if has_reconcile != (effect is EffectClass.RECONCILE):
        return "needs a reconcile function exactly when its effect is reconcile"
    return None


def _argument_model(function: Callable[..., Any], name: str) -> type[BaseModel]:
    parameters = list(inspect.signature(function).parameters.values())
    try:
        hints = typing.get_type_hints(function)
    except NameError as error:
        message = f"tool {name!r}: {error}; import what its annotations name also at run time"
        raise FatalError(message) from error
    fits = len(parameters) == 2 and all(each.kind in _POSITIONAL for each in parameters)  # noqa: PLR2004
    model = hints.get(parameters[0].name) if fits else None
    if not (inspect.isclass(model) and issubclass(model, BaseModel)):
        message = f"tool {name!r} must take (arguments: a pydantic model, context: ToolContext)"
        raise FatalError(message)
    return model
