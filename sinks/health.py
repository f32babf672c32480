"""What a sink says about itself to its supervisor."""

import time
from dataclasses import dataclass

_STALL_LIMIT_S = 20.0
"""A loop that has not come round for so long is blocked by code that should await."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A yes or no, and why not."""

    ok: bool
    reason: str = ""


class Health:
    """Liveness and readiness of one sink process, with reasons."""

    def __init__(self) -> None:
        self._beats_s = {0: time.monotonic()}
        self._failure: str | None = None
        self._readiness = Verdict(ok=False, reason="starting")

    def live(self) -> Verdict:
        """Whether the process makes progress; a no means: kill it and start it anew."""
        if self._failure is not None:
            return Verdict(ok=False, reason=self._failure)
        stalled_s = time.monotonic() - min(self._beats_s.values())
        if stalled_s > _STALL_LIMIT_S:
            return Verdict(ok=False, reason=f"a loop has not come round for {stalled_s:.0f} s")
        return Verdict(ok=True)

    def ready(self) -> Verdict:
        """Whether messages are being recorded."""
        live = self.live()
        return self._readiness if live.ok else live

    def beat(self, stream: int, readiness: Verdict) -> None:
        """Note that the loop of a stream came round, and whether messages are being recorded."""
        self._beats_s[stream] = time.monotonic()
        self._readiness = readiness

    def fail(self, reason: str) -> None:
        """Note that the process is about to exit."""
        self._failure = reason
