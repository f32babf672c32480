"""Lets a step wait for something far away without holding a slot that others could work in."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Slot(NamedTuple):
    """The slot of the step that is running in the current task."""

    leave: Callable[[], None]
    """Give the slot to the next step."""
    retake: Callable[[], Awaitable[None]]
    """Wait until there is a slot again."""


CURRENT_SLOT: ContextVar[Slot | None] = ContextVar("CURRENT_SLOT", default=None)


@asynccontextmanager
async def parked() -> AsyncGenerator[None]:
    """Wait inside this block without a slot: the step keeps its lane, other lanes go on.

    Outside of a running step it does nothing. When the block raises, the step ends without a slot: nothing is
    left to be done in it.
    """
    slot = CURRENT_SLOT.get()
    if slot is None:
        yield
        return
    slot.leave()
    yield
    await slot.retake()
