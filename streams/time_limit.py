"""A limit on the time of a block, or an early end: as `asyncio.timeout`, at a third of its price."""

import asyncio
from types import TracebackType
from typing import Self


class TimeLimit:
    """Cancels the task of its block after so many seconds (None: only when told to), as a TimeoutError."""

    __slots__ = ("_cancelled_before", "_seconds", "_task", "_timer", "is_over")

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._cancelled_before = 0
        self.is_over = False
        """Whether the block was ended."""

    def end(self) -> None:
        """End the block now. Does nothing when it has ended."""
        if self._task is not None and not self.is_over:
            self.is_over = True
            _ = self._task.cancel()

    def __enter__(self) -> Self:
        task = self._task = asyncio.current_task()
        if task is None:
            message = "a time limit needs a task"
            raise RuntimeError(message)
        self._cancelled_before = task.cancelling()
        if self._seconds is not None:
            self._timer = task.get_loop().call_later(self._seconds, self.end)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        task, self._task = self._task, None
        # Somebody else may have cancelled the task as well: then it is a cancellation and no timeout.
        is_ours = self.is_over and task is not None and task.uncancel() <= self._cancelled_before
        if is_ours and kind is asyncio.CancelledError:
            raise TimeoutError from error
