"""Logs: one line per event on stderr, for people or as JSON. Never message content at level info."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, NamedTuple

import structlog
from structlog.stdlib import BoundLogger
from structlog.typing import Processor

_NOISY = ("aiokafka", "asyncio", "faust", "httpx", "mode")
"""Libraries whose info lines would drown ours; their warnings are kept."""

_LINKS_SHOWN = 5
"""Kinds of errors in a chain of causes."""


class StepIds(NamedTuple):
    """What every line of a step carries: where it belongs. `run_id` is None before the run has an id."""

    trace_id: str
    session_id: str
    run_id: str | None
    step_id: str


# One variable for all of them: a step sets it once, and most steps write no line.
_STEP: ContextVar[StepIds | None] = ContextVar("_STEP", default=None)


def bind_step(ids: StepIds) -> None:
    """Add the ids of a step to every following line of the current task, until it ends or binds others."""
    _ = _STEP.set(ids)


def configure(level: str = "info", *, as_json: bool = False) -> None:
    """Send our lines and those of libraries to stderr, from `level` (debug, info, warning, error) upwards.

    Raises:
        ValueError: the level is unknown.

    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        message = f"unknown log level {level!r}: use debug, info, warning or error"
        raise ValueError(message)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_step,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if as_json else structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(as_json=as_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    # It warns whenever a commit took longer than the interval between two: harmless, and frequent under load.
    logging.getLogger("mode.timers").setLevel(logging.ERROR)


def logger(name: str) -> BoundLogger:
    """Return the logger of a module: `log.info("event in words", key=value)`."""
    bound: BoundLogger = structlog.stdlib.get_logger(name)
    return bound


class Binding:
    """Ids bound to the lines of the current task; leaving the `with` block unbinds them."""

    def __init__(self, tokens: Mapping[str, Token[Any]]) -> None:
        self._tokens = tokens

    def __enter__(self) -> None:
        """Do nothing: the ids are bound since `bind` was called."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore what was bound before."""
        structlog.contextvars.reset_contextvars(**self._tokens)


def bind(**ids: str | int) -> Binding:
    """Add ids (session_id, run_id, partition …) to every following line of the current task.

    They stay until the task ends, or until the end of the block in `with bind(...)`.
    """
    return Binding(structlog.contextvars.bind_contextvars(**ids))


class UnquotedError(Exception):
    """Stands for an error whose text may quote what somebody wrote."""


def without_text(error: BaseException) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    """Return what a log line shows of `error` as `exc_info`: its kind, what caused it, and where it happened.

    Its text is left out, because it may quote the message that was worked at; level debug shows it.
    """
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        return type(error), error, error.__traceback__
    kinds: list[str] = []
    link: BaseException | None = error
    while link is not None and len(kinds) < _LINKS_SHOWN:
        kinds.append(type(link).__qualname__)
        link = link.__cause__ or link.__context__
    return UnquotedError, UnquotedError(" from ".join(kinds)), error.__traceback__


def _add_step(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    ids = _STEP.get()
    if ids is not None:
        for name, value in ids._asdict().items():
            if value is not None:
                _ = event.setdefault(name, value)
    return event


def _renderer(*, as_json: bool) -> Processor:
    if as_json:
        return structlog.processors.JSONRenderer()
    # The renderer's own choice shows the values of local variables: content, and seconds for a deep stack.
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
    )
