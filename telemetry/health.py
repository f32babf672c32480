"""What a process says about itself to its supervisor and to who sends it work: alive, ready, and why not."""

import time
from collections.abc import Callable
from dataclasses import dataclass

STALL_LIMIT_S = 20.0
"""A loop that has not come round for so long is blocked, or waits for something without a deadline."""

_EVENT_LOOP = "the event loop"

Trouble = Callable[[], str | None]
"""Says in a sentence what keeps the process from its work; None when nothing does. Any thread may ask."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes or no, and the reason for a no."""

    ok: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.ok


class Health:
    """Liveness and readiness of one process. Its event loop writes, any thread may read.

    So the answer does not depend on the loop that it is about: one that is blocked is told, not waited for.
    """

    def __init__(
        self, *, stall_limit_s: float = STALL_LIMIT_S, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Allow each loop `stall_limit_s` seconds between two beats; `now` is a monotonic clock."""
        self._stall_limit_s = stall_limit_s
        self._now = now
        self._pulse_s = now()
        self._beats_s: dict[str, float] = {}
        self._failure: str | None = None
        self._readiness = Verdict(False, "starting")
        self._is_draining = False
        self._also: tuple[Trouble, ...] = ()

    def also(self, trouble: Trouble) -> None:
        """Let `trouble` keep the process from being ready although its own loops go on."""
        self._also = (*self._also, trouble)

    def live(self) -> Verdict:
        """Whether the process makes progress; a no means: kill it and start it anew."""
        if self._failure is not None:
            return Verdict(False, self._failure)
        if (silent_s := self.silent_s) > self._stall_limit_s:
            return Verdict(False, f"{_EVENT_LOOP} has been blocked for {silent_s:.0f} s")
        # What drains has deadlines of its own, and its loops end one after the other.
        beats_s = [] if self._is_draining else list(self._beats_s.items())
        for name, beat_s in beats_s:
            if (stalled_s := self._now() - beat_s) > self._stall_limit_s:
                return Verdict(False, f"{name} has not come round for {stalled_s:.0f} s")
        return Verdict(True)

    def ready(self) -> Verdict:
        """Whether the process does its work right now."""
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

    @property
    def silent_s(self) -> float:
        """Seconds since the event loop last showed that it goes round."""
        return self._now() - max([self._pulse_s, *list(self._beats_s.values())])

    def pulse(self) -> None:
        """Note that the event loop goes round."""
        self._pulse_s = self._now()

    def beat(self, readiness: Verdict, loop: str = "the supervision") -> None:
        """Note that a loop of the program came round, and whether the work is being done."""
        self._beats_s[loop] = self._now()
        self._readiness = readiness

    def drain(self) -> None:
        """Note that nothing more is taken."""
        self._is_draining = True

    def fail(self, reason: str) -> None:
        """Note that the process is about to exit."""
        self._failure = reason
