"""Inside a process under test: parks it at a named point when the harness asks, and says so over a socket.

Lines of JSON. From the harness: `{"park": point, "nth": n}`, `{"forget": point}`, `{"go": point}`.
To the harness: `{"name": …, "pid": …}` once, `{"parked": point, "session": …, "step": …}` for each stop.
"""

import asyncio
import json
import os
import socket
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from telemetry import points

SOCKET = "CHAOS_SOCKET"
NAME = "CHAOS_NAME"
_CALLERS_LOOKED_AT = 8
_WHO = ("event", "job", "timer", "after", "context")
"""Variables that say what a step is about, in the code that passes the points."""


class Parking:
    """Stops the coroutine that passes a point which the harness waits for; all others go on."""

    def __init__(self, path: str | Path, name: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._left: dict[str, int] = {}
        self._parked: dict[str, tuple[asyncio.AbstractEventLoop, asyncio.Event]] = {}
        self._say(name=name, pid=os.getpid())
        # A thread of its own: the harness is heard however busy, or stuck, the event loop is.
        threading.Thread(target=self._listen, name="harness", daemon=True).start()

    async def passed(self, point: str) -> None:
        """Go on at once unless the harness waits here for this pass."""
        left = self._left.get(point)
        if left is None:
            return
        if left > 1:
            self._left[point] = left - 1
            return
        del self._left[point]
        go = asyncio.Event()
        self._parked[point] = asyncio.get_running_loop(), go
        session, step = _subject(sys._getframe(1))  # the point is told nothing but its name
        self._say(parked=point, session=session, step=step)
        await go.wait()

    def _say(self, **words: object) -> None:
        self._socket.sendall(json.dumps(words).encode() + b"\n")

    def _listen(self) -> None:
        with self._socket, self._socket.makefile() as lines:
            for line in lines:
                self._heed(json.loads(line))

    def _heed(self, words: dict[str, Any]) -> None:
        match words:
            case {"park": point, "nth": nth}:
                self._left[point] = nth
            case {"forget": point}:
                _ = self._left.pop(point, None)
            case {"go": point} if point in self._parked:
                loop, go = self._parked.pop(point)
                loop.call_soon_threadsafe(go.set)
            case _:
                pass


def _subject(frame: FrameType | None) -> tuple[str | None, str | None]:
    """Return the session and the step that the calling code is about, None where it does not say."""
    for _ in range(_CALLERS_LOOKED_AT):
        if frame is None:
            break
        known = frame.f_locals
        found = [known.get(name) for name in _WHO] + [getattr(known.get("self"), "_job", None)]
        for each in found:
            if (session := getattr(each, "session_id", None)) is not None:
                return session, getattr(each, "step_id", None)
        frame = frame.f_back
    return None, None


def enable() -> None:
    """Turn the points of this process on when its environment names the harness' socket."""
    path = os.environ.get(SOCKET)
    if path is not None:
        points.ENABLED = Parking(path, os.environ[NAME]).passed
