"""Runs a program on the chosen event loop and gets the process to its end, whatever is still pending."""

import asyncio
import gc
import importlib.util
import logging
import os
import sys
import threading
from collections.abc import Coroutine
from typing import Any, Literal

_log = logging.getLogger(__name__)

_CANCEL_LIMIT_S = 2.0

_ALLOCATIONS_PER_COLLECTION = 20_000
"""Containers made and not yet freed between two looks for garbage of the youngest kind. Python's own 700 are
passed by the records of two runs, and each look walks through what the steps in flight hold."""


def run(
    program: Coroutine[Any, Any, int], *, event_loop: Literal["auto", "uvloop", "asyncio"] = "auto"
) -> int:
    """Run `program` to its end and return its exit code.

    The policy is set for the whole process, so that the consumer thread gets the same kind of loop. Tasks
    that do not end when cancelled, and threads that do not end, make the process exit at once with the code.
    """
    if event_loop == "uvloop" or (event_loop == "auto" and importlib.util.find_spec("uvloop") is not None):
        # Late: where it is not installed the other loop serves.
        import uvloop  # noqa: PLC0415

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # pyright: ignore[reportDeprecated]
    _settle_memory()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    code = loop.run_until_complete(program)
    leftovers = asyncio.all_tasks(loop)
    for task in leftovers:
        task.cancel()
    pending: set[asyncio.Task[Any]] = set()
    if leftovers:
        _, pending = loop.run_until_complete(asyncio.wait(leftovers, timeout=_CANCEL_LIMIT_S))
    threads = [
        t for t in threading.enumerate() if t is not threading.main_thread() and not t.daemon and t.is_alive()
    ]
    if pending or threads:
        _log.warning("exiting with %d tasks and %d threads still alive", len(pending), len(threads))
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    return code


def _settle_memory() -> None:
    """Look for garbage seldom, and never again among the modules: that took a sixth of a session worker.

    What the programs make is freed by reference counts; cycles come from errors and from rebalances.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION)
