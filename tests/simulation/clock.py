"""Virtual time for the modules under test: their monotonic clock is the loop's."""

import logging
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import structlog

_PACKAGES = ("streams", "sinks", "llm")
START_MS = 1_800_000_000_000
"""Wall clock at the beginning of every history."""


@contextmanager
def virtual_time(now_s: Callable[[], float]) -> Generator[None]:
    """Give every module of the steps and sinks that reads a clock the virtual one, inside this block.

    The programs read `time` only to measure; wall clocks are injected. Without this, a frozen process would
    not notice that time has passed.
    """
    clock = SimpleNamespace(
        monotonic=now_s,
        perf_counter=now_s,
        time=lambda: START_MS / 1000 + now_s(),
        time_ns=lambda: (START_MS + int(now_s() * 1000)) * 1_000_000,
    )
    changed: list[tuple[ModuleType, str, Any]] = []
    for module in list(sys.modules.values()):
        if module.__name__.partition(".")[0] in _PACKAGES:
            changed += _replaced(module, clock)
    try:
        yield
    finally:
        for module, name, value in changed:
            setattr(module, name, value)


def _replaced(module: ModuleType, clock: SimpleNamespace) -> list[tuple[ModuleType, str, Any]]:
    changed: list[tuple[ModuleType, str, Any]] = []
    for name, value in list(vars(module).items()):
        if value is time:
            replacement: Any = clock
        elif value is time.monotonic:
            replacement = clock.monotonic
        else:
            continue
        changed.append((module, name, value))
        setattr(module, name, replacement)
    return changed


@contextmanager
def silence() -> Generator[None]:
    """Keep the programs' log lines to themselves: a history is full of made-up troubles."""

    def drop(*_: Any) -> Any:
        raise structlog.DropEvent

    before = structlog.get_config()
    disabled = logging.root.manager.disable
    structlog.configure(processors=[drop])
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(disabled)
        structlog.configure(**before)
