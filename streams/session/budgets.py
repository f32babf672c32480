"""What a run may spend, checked before each model call."""

from dataclasses import dataclass

from schemas.agent_file import Limits
from schemas.lists import StopReason
from streams.session.context import ActiveRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceeded:
    """The budget that is used up; `limit` and `spent` in its unit: calls, tokens, US dollars or seconds."""

    stop_reason: StopReason
    limit: float
    spent: float

    @property
    def message(self) -> str:
        """A sentence that says what to do."""
        unit = _UNITS[self.stop_reason]
        return (
            f"the run has used {self.spent:g} of {self.limit:g} {unit};"
            " ask for less in one message, or raise the agent's limits"
        )


_UNITS = {
    StopReason.BUDGET_GENERATIONS: "generations",
    StopReason.BUDGET_TOKENS: "tokens",
    StopReason.BUDGET_COST: "US dollars",
    StopReason.BUDGET_SECONDS: "seconds",
}


def exceeded(run: ActiveRun, limits: Limits, *, now_ms: int) -> Exceeded | None:
    """Return the first budget of `limits` that leaves no room for another generation of `run`, or None."""
    spent = (
        (StopReason.BUDGET_GENERATIONS, limits.generations, run.next_index),
        (StopReason.BUDGET_TOKENS, limits.tokens, run.usage.total_tokens),
        (StopReason.BUDGET_COST, limits.cost, run.usage.cost or 0.0),
        (StopReason.BUDGET_SECONDS, limits.seconds, (now_ms - run.started_at_ms) / 1000),
    )
    for reason, limit, used in spent:
        if limit is not None and used >= limit:
            return Exceeded(stop_reason=reason, limit=limit, spent=used)
    return None
