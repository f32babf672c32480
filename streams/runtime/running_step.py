"""What a running step tells its runner: that it waits without a slot, or finishes where it runs."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class RunningStep(NamedTuple):
    """The runner's side of the step that runs in the current task."""

    leave_slot: Callable[[], None]
    """Give the slot to the next step."""
    retake_slot: Callable[[], Awaitable[None]]
    """Wait until there is a slot again."""
    shield: Callable[[bool], None]
    """Say whether the step goes on when its partition goes elsewhere."""


CURRENT_STEP: ContextVar[RunningStep | None] = ContextVar("CURRENT_STEP", default=None)


@asynccontextmanager
async def parked() -> AsyncGenerator[None]:
    """Wait inside this block without a slot: the step keeps its lane, other lanes go on.

    Outside of a running step it does nothing. When the block raises, the step ends without a slot: nothing is
    left to be done in it. A step that is not shielded and whose partition has gone is cancelled here: what it
    waits for is waited for elsewhere.
    """
    step = CURRENT_STEP.get()
    if step is None:
        yield
        return
    step.leave_slot()
    yield
    await step.retake_slot()


@contextmanager
def shielded() -> Generator[None]:
    """Finish what is inside this block here, though the step's partition may go to another process meanwhile.

    For work that is paid for and that nobody else can do at the same time, because this process holds a lease
    on it: cut, it would only be done again. The end of the process still cuts it.
    """
    step = CURRENT_STEP.get()
    if step is None:
        yield
        return
    step.shield(True)
    try:
        yield
    finally:
        step.shield(False)
