"""The steps that run in this process, by partition, so that one can wait for those of a moment."""

import asyncio
from collections import defaultdict
from types import TracebackType


class _Running:
    """One step, while the block runs. The future is made only where somebody waits."""

    __slots__ = ("_all", "ended")

    def __init__(self, others: "set[_Running]") -> None:
        self._all = others
        self.ended: asyncio.Future[None] | None = None

    def __enter__(self) -> None:
        self._all.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._all.discard(self)
        if self.ended is not None:
            self.ended.set_result(None)


class InFlight:
    """Counts steps in and out."""

    def __init__(self) -> None:
        self._running: defaultdict[int, set[_Running]] = defaultdict(set)

    def step(self, partition: int) -> _Running:
        """Be in flight inside this block, however it ends."""
        return _Running(self._running[partition])

    async def drained(self, partition: int) -> None:
        """Return when every step that is in flight now has ended; later ones are not waited for.

        The caller sets the deadline. A step that failed has ended too: its message comes again.
        """
        loop = asyncio.get_running_loop()
        ends: list[asyncio.Future[None]] = []
        for step in self._running[partition]:
            if step.ended is None:
                step.ended = loop.create_future()
            ends.append(step.ended)
        if ends:
            await asyncio.wait(ends)
