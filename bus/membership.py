"""Judges whether this process is still a working member of its consumer group."""

from dataclasses import dataclass
from typing import Any

from telemetry.health import Verdict

_MOST_UNANSWERED = 40
"""Twenty seconds of looks, as the runtime looks by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipFacts:
    """What one look at the client's group membership found."""

    crash: str | None = None
    """Why a service of the client crashed, or None."""
    coordination_ended: bool = False
    """Whether the task that keeps the membership has ended: nothing will bring it back."""
    generation: int = -1
    """The coordinator's generation; not positive while out of the group."""
    rejoin_pending: bool = True
    rebalancing: bool = False
    coordinator_known: bool = False
    unanswered: int = 0
    """How many looks in a row the loop of the client's own thread has not come round to answer."""

    @property
    def is_member(self) -> bool:
        """Whether messages can arrive and be acknowledged."""
        return self.generation > 0 and not self.rejoin_pending and not self.rebalancing


def facts_of(coordinator: Any, *, rebalancing: bool = False, unanswered: int = 0) -> MembershipFacts:
    """Look at the client's group coordinator. Reads private names of a pinned version; a test guards them."""
    if coordinator is None or not hasattr(coordinator, "_coordination_task"):
        return MembershipFacts(unanswered=unanswered)
    return MembershipFacts(
        coordination_ended=coordinator._coordination_task.done(),  # noqa: SLF001
        generation=coordinator.generation,
        rejoin_pending=coordinator._rejoin_needed_fut.done(),  # noqa: SLF001
        rebalancing=rebalancing,
        coordinator_known=coordinator.coordinator_id is not None,
        unanswered=unanswered,
    )


class Membership:
    """Follows the membership over time; times are seconds of one monotonic clock."""

    def __init__(self, limit_s: float, now_s: float) -> None:
        """Allow at most `limit_s` seconds in a row out of the group, counted from `now_s` at the start."""
        self._limit_s = limit_s
        self._last_member_s = now_s
        self._facts = MembershipFacts()

    def observe(self, facts: MembershipFacts, now_s: float) -> Verdict:
        """Take in one look; a no means that the process must exit and be started anew."""
        self._facts = facts
        if facts.crash is not None:
            return Verdict(False, f"the Kafka client crashed: {facts.crash}")
        if facts.coordination_ended:
            return Verdict(False, "the task that keeps the group membership has ended")
        if facts.unanswered > _MOST_UNANSWERED:
            # Counted, not timed: a process that was frozen as a whole finds itself well again.
            return Verdict(False, "the loop of the Kafka client's thread is blocked")
        if facts.is_member:
            self._last_member_s = now_s
        elif now_s - self._last_member_s > self._limit_s:
            return Verdict(False, f"out of the consumer group for more than {self._limit_s:.0f} s")
        return Verdict(True)

    @property
    def readiness(self) -> Verdict:
        """Whether the last look found a member whose coordinator answers."""
        if not self._facts.is_member:
            return Verdict(False, "not a member of the consumer group")
        if not self._facts.coordinator_known:
            return Verdict(False, "the group's coordinator is unknown: the broker is away")
        return Verdict(True)
