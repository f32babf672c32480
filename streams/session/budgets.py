"""What runs and sessions may spend: checked before each model call, and the last moment of every step."""

from dataclasses import dataclass

from schemas.agent_file import AgentConfiguration, Limits, SessionLimits
from schemas.lists import StopReason
from streams.session.context import ActiveRun, Context, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceeded:
    """The budget that is used up; `limit` and `spent` in its unit: calls, tokens, US dollars or seconds."""

    stop_reason: StopReason
    limit: float
    spent: float
    of_session: bool

    @property
    def message(self) -> str:
        """A sentence that says what to do."""
        what, instead = _ADVICE[self.of_session]
        return f"the {what} has used {self.spent:g} of {self.limit:g} {_UNITS[self.stop_reason]}; {instead}"


_ADVICE = {
    False: ("run", "ask for less in one message, or raise the agent's limits"),
    True: ("session", "begin a new session, or raise the agent's session_limits"),
}

_UNITS = {
    StopReason.BUDGET_GENERATIONS: "generations",
    StopReason.BUDGET_TOKENS: "tokens",
    StopReason.BUDGET_COST: "US dollars",
    StopReason.BUDGET_SECONDS: "seconds",
}


def exceeded(
    context: Context, run: ActiveRun, spent: Usage, configuration: AgentConfiguration, *, now_ms: int
) -> Exceeded | None:
    """Return the budget that leaves no room for another generation of `run`, or None.

    `spent` is what all runs of the session have used by now, `run` with its newest generation counted.
    """
    of_run = _exceeded(run.next_index, run.usage, run.active_ms(now_ms), configuration.limits)
    return of_run or session_exceeded(context, spent, configuration.session_limits, now_ms=now_ms)


def seconds_exceeded(
    context: Context, run: ActiveRun, configuration: AgentConfiguration, *, now_ms: int
) -> Exceeded | None:
    """Return the budget of seconds that `run`, or the session with it, has used up at `now_ms`, or None."""
    for limits, ms in (
        (configuration.limits, run.active_ms(now_ms)),
        (configuration.session_limits, _session_ms(context, now_ms)),
    ):
        over = _exceeded(0, _NOTHING, ms, limits)
        if over is not None:
            return over
    return None


def session_exceeded(
    context: Context, spent: Usage, limits: SessionLimits, *, now_ms: int
) -> Exceeded | None:
    """Return the budget of the session that leaves no room for another generation, or None."""
    return _exceeded(spent.generations, spent, _session_ms(context, now_ms), limits)


def due_ms(
    context: Context,
    run: ActiveRun | None,
    deadline_s: int,
    configuration: AgentConfiguration,
    *,
    now_ms: int,
) -> int:
    """Return when the session stops waiting for a step of `run` (None: of a run that begins now).

    That is its own deadline, or the end of a budget of seconds when it comes first: a step that hangs cannot
    spend more than its run may.
    """
    wait_ms = deadline_s * 1000
    if (limit_s := configuration.limits.seconds) is not None:
        wait_ms = min(wait_ms, limit_s * 1000 - (0 if run is None else run.active_ms(now_ms)))
    if (limit_s := configuration.session_limits.seconds) is not None:
        wait_ms = min(wait_ms, limit_s * 1000 - _session_ms(context, now_ms))
    return now_ms + max(0, wait_ms)


def _exceeded(generations: int, usage: Usage, ms: int, limits: Limits | SessionLimits) -> Exceeded | None:
    if (limit := limits.generations) is not None and generations >= limit:
        reason, spent = StopReason.BUDGET_GENERATIONS, generations
    elif (limit := limits.tokens) is not None and usage.total_tokens >= limit:
        reason, spent = StopReason.BUDGET_TOKENS, usage.total_tokens
    elif (limit := limits.cost) is not None and (usage.cost or 0.0) >= limit:
        reason, spent = StopReason.BUDGET_COST, usage.cost or 0.0
    elif (limit := limits.seconds) is not None and ms / 1000 >= limit:
        reason, spent = StopReason.BUDGET_SECONDS, ms / 1000
    else:
        return None
    of_session = isinstance(limits, SessionLimits)
    return Exceeded(stop_reason=reason, limit=limit, spent=spent, of_session=of_session)


def _session_ms(context: Context, now_ms: int) -> int:
    return context.spent_ms + (0 if context.run is None else context.run.active_ms(now_ms))


_NOTHING = Usage()
