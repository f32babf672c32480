"""Watches whether a sink is still a working member of its group: one that is not must be started anew."""

import time
from collections.abc import Callable

from bus.membership import Membership, MembershipFacts
from schemas.errors import FatalError
from telemetry.health import Verdict
from telemetry.metrics import IS_MEMBER


class Supervision:
    """Follows the membership that `look` finds."""

    def __init__(self, look: Callable[[], MembershipFacts], *, limit_s: float) -> None:
        """Allow at most `limit_s` seconds in a row out of the group, counted from the first look."""
        self._look = look
        self._limit_s = limit_s
        self._membership: Membership | None = None

    def checked(self) -> Verdict:
        """Look once more; return whether messages can arrive and the group's coordinator answers.

        Raises:
            FatalError: the membership is gone and will not come back by itself.

        """
        now_s = time.monotonic()
        if self._membership is None:
            self._membership = Membership(self._limit_s, now_s)
        verdict = self._membership.observe(self._look(), now_s)
        readiness = self._membership.readiness
        IS_MEMBER.set(readiness.ok)
        if not verdict:
            raise FatalError(verdict.reason)
        return readiness
