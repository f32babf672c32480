"""Contexts that this process stored last, so that the next event of a session need not load what it knows.

Only a hope: a decision made from one counts when the store finds exactly its epoch, term and version.
"""

import asyncio
from collections import OrderedDict

from msgspec import Struct
from msgspec.structs import replace

from streams.session.opened import Opened


class _Kept(Struct, frozen=True, gc=False):
    opened: Opened
    size: int
    at_s: float


class KeptContexts:
    """The newest contexts, up to `max_bytes` of their stored size. Lives and dies with its process."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def put(self, opened: Opened, size: int) -> None:
        """Keep a context that was stored, and whose deliveries were all acknowledged; `size` in bytes."""
        self._drop(opened.context.session_id)
        self._kept[opened.context.session_id] = _Kept(opened, size, asyncio.get_running_loop().time())
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def take(self, session_id: str) -> Opened | None:
        """Return the session's context and forget it: whoever fails with it must load the next time."""
        kept = self._drop(session_id)
        if kept is None:
            return None
        passed_ms = int((asyncio.get_running_loop().time() - kept.at_s) * 1000)
        return replace(kept.opened, now_ms=kept.opened.now_ms + passed_ms)

    def _drop(self, session_id: str) -> _Kept | None:
        kept = self._kept.pop(session_id, None)
        if kept is not None:
            self._bytes -= kept.size
        return kept
