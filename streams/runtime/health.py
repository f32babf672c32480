"""What a worker says about itself to its supervisor and its load balancer."""

import time
from collections.abc import Callable

from streams.runtime.membership import Verdict

_STALL_LIMIT_S = 20.0
"""A loop that has not come round for so long is blocked by code that should await."""


class Health:
    """Liveness and readiness of one worker process, with reasons."""

    def __init__(self) -> None:
        self._beat_s = time.monotonic()
        self._failure: str | None = None
        self._readiness = Verdict(False, "starting")
        self._is_draining = False
        self._also: list[Callable[[], str | None]] = []

    def also(self, trouble: Callable[[], str | None]) -> None:
        """Let `trouble` say, in a sentence, why the process is not ready although it is a member; or None."""
        self._also.append(trouble)

    def live(self) -> Verdict:
        """Whether the process makes progress; a no means: kill it and start it anew."""
        if self._failure is not None:
            return Verdict(False, self._failure)
        stalled_s = time.monotonic() - self._beat_s
        if stalled_s > _STALL_LIMIT_S:
            return Verdict(False, f"the event loop has been blocked for {stalled_s:.0f} s")
        return Verdict(True)

    def ready(self) -> Verdict:
        """Whether messages are being taken."""
        live = self.live()
        if not live:
            return live
        if self._is_draining:
            return Verdict(False, "draining")
        if self._readiness:
            for trouble in self._also:
                if (reason := trouble()) is not None:
                    return Verdict(False, reason)
        return self._readiness

    def beat(self, readiness: Verdict) -> None:
        """Note that the loop came round, and what the membership probe found."""
        self._beat_s = time.monotonic()
        self._readiness = readiness

    def drain(self) -> None:
        """Note that nothing more is taken."""
        self._is_draining = True

    def fail(self, reason: str) -> None:
        """Note that the process is about to exit."""
        self._failure = reason
