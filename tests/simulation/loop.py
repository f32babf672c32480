"""An event loop that a seed drives: virtual time, and a seeded choice of the task that goes on."""

import asyncio
import heapq
from bisect import insort
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from itertools import count
from random import Random
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Owner(Protocol):
    """A process: the group of tasks that dies, freezes and wakes together."""

    is_dead: bool
    is_frozen: bool
    held: "list[Handle]"


OWNER: ContextVar[Owner | None] = ContextVar("OWNER", default=None)
"""The process that the current task belongs to; None: the world."""


class NumberedTask(asyncio.Task[T]):
    """A task whose hash is its number, so that sets of tasks have the same order in every run of a seed."""

    def __init__(self, coro: Coroutine[Any, Any, T], *, number: int, **options: Any) -> None:
        self.number = number
        super().__init__(coro, **options)
        # A killed process leaves its tasks where they are: that is no mistake of the program.
        self._log_destroy_pending = False

    def __hash__(self) -> int:
        return self.number


class Handle:
    """One callback that waits for its turn, or for its time."""

    __slots__ = ("_is_cancelled", "args", "callback", "context", "number", "when_s")

    def __init__(
        self,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: Context,
        number: int,
        when_s: float,
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.number = number
        self.when_s = when_s
        self._is_cancelled = False

    def cancel(self) -> None:
        self._is_cancelled = True

    def cancelled(self) -> bool:
        return self._is_cancelled

    def when(self) -> float:
        return self.when_s

    def __lt__(self, other: "Handle") -> bool:
        return (self.when_s, self.number) < (other.when_s, other.number)


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Runs tasks on virtual time: when nothing is ready, the clock jumps to the next timer.

    The callbacks in between (a future is done, a timer is due) run in their order; which of the tasks that
    are ready goes on is the seed's choice. What belongs to a dead process is dropped, what belongs to a
    frozen one is held back until it wakes.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._now_s = 0.0
        self._numbers = count(1)
        self._plumbing: deque[Handle] = deque()
        self._steps: list[tuple[int, int, Handle]] = []
        self._timers: list[Handle] = []
        self.tasks: list[NumberedTask[Any]] = []
        self.errors: list[BaseException] = []
        self.turns = 0

    def time(self) -> float:
        return self._now_s

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        handle = Handle(
            callback, args, copy_context() if context is None else context, next(self._numbers), 0.0
        )
        self._make_ready(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Any:
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Any:
        handle = Handle(
            callback, args, copy_context() if context is None else context, next(self._numbers), when
        )
        heapq.heappush(self._timers, handle)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None, **_: Any
    ) -> Any:
        task: NumberedTask[Any] = NumberedTask(
            coro, number=len(self.tasks), loop=self, name=name, context=context
        )
        self.tasks.append(task)
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.errors.append(error)

    def add_signal_handler(self, sig: int, callback: Callable[..., Any], *args: Any) -> None:
        """Nobody sends signals here."""

    def remove_signal_handler(self, sig: int) -> bool:
        del sig
        return False

    def release(self, handles: list[Handle]) -> None:
        """Let what was held back of a frozen process go on."""
        for handle in handles:
            self._make_ready(handle)

    def run_while(self, goes_on: Callable[[], bool], *, every_s: float, most_turns: int) -> bool:
        """Run until `goes_on` says no, which is asked every `every_s` virtual seconds; return whether it did.

        False: the turns are used up, or nobody waits for anything any more.
        """
        asyncio._set_running_loop(self)
        try:
            ask_at_s = self._now_s
            while self.turns < most_turns:
                self.turns += 1
                if self._plumbing:
                    self._run(self._plumbing.popleft())
                elif self._steps:
                    self._run(self._steps.pop(int(self._random.random() * len(self._steps)))[2])
                elif self._now_s >= ask_at_s and not goes_on():
                    return True
                else:
                    ask_at_s = max(ask_at_s, self._now_s + every_s) if self._now_s >= ask_at_s else ask_at_s
                    if not self._advance():
                        return not goes_on()
            return False
        finally:
            asyncio._set_running_loop(None)

    def _advance(self) -> bool:
        while self._timers and self._timers[0].cancelled():
            heapq.heappop(self._timers)
        if not self._timers:
            return False
        self._now_s = max(self._now_s, self._timers[0].when_s)
        while self._timers and self._timers[0].when_s <= self._now_s:
            self._make_ready(heapq.heappop(self._timers))
        return True

    def _make_ready(self, handle: Handle) -> None:
        task = getattr(handle.callback, "__self__", None)
        if isinstance(task, NumberedTask):
            # In the order of the tasks' numbers: it does not depend on any set on the way here.
            insort(self._steps, (task.number, handle.number, handle))
        else:
            self._plumbing.append(handle)

    def _run(self, handle: Handle) -> None:
        if handle.cancelled():
            return
        owner = handle.context.get(OWNER)
        if owner is not None:
            if owner.is_dead:
                return
            if owner.is_frozen:
                owner.held.append(handle)
                return
        try:
            handle.context.run(handle.callback, *handle.args)
        except Exception as error:  # noqa: BLE001 - a callback that raises is what the simulation looks for
            self.errors.append(error)

    def close(self) -> None:
        """Close what never ended, so that nothing is finalized later and elsewhere."""
        for task in self.tasks:
            if not task.done():
                _close(task.get_coro())
        self.tasks.clear()
        self._timers.clear()
        self._plumbing.clear()
        self._steps.clear()


def _close(coroutine: Any) -> None:
    for _ in range(_CLOSINGS):
        try:
            coroutine.close()
        except BaseException:  # noqa: BLE001, S112 - its ports are closed: whatever it still does ends in an error
            continue
        return


_CLOSINGS = 8
