"""Logs: one line per event on stderr, for people or as JSON. Never message content at level info."""

import logging
import sys
from collections.abc import Mapping
from contextvars import Token
from types import TracebackType
from typing import Any

import structlog
from structlog.stdlib import BoundLogger
from structlog.typing import Processor

_NOISY = ("aiokafka", "asyncio", "faust", "httpx", "mode")
"""Libraries whose info lines would drown ours; their warnings are kept."""


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


def _renderer(*, as_json: bool) -> Processor:
    if as_json:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
