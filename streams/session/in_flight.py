"""The steps that run in this process, by partition, so that one can wait for those of a moment."""

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager


class InFlight:
    """Counts steps in and out."""

    def __init__(self) -> None:
        self._running: defaultdict[int, set[asyncio.Future[None]]] = defaultdict(set)

    @contextmanager
    def step(self, partition: int) -> Generator[None]:
        """Be in flight inside this block, however it ends."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running[partition].add(ended)
        try:
            yield
        finally:
            self._running[partition].discard(ended)
            ended.set_result(None)

    async def drained(self, partition: int) -> None:
        """Return when every step that is in flight now has ended; later ones are not waited for.

        The caller sets the deadline. A step that failed has ended too: its message comes again.
        """
        running = list(self._running[partition])
        if running:
            await asyncio.wait(running)
