"""Counts what a decision did, once it is stored."""

from functools import cache

from prometheus_client import Counter, Histogram

from schemas.lists import RunStatus, StopReason
from streams.session.context import Context
from telemetry.metrics import DECISIONS, RUN_SECONDS, RUNS_ENDED


def count_decision(topic: str, after: Context) -> None:
    """Count the decision about a message of `topic` that left `after`, and the runs that it ended."""
    _decisions(topic).inc()
    for run in after.ended:
        _runs(run.status, run.stop_reason).inc()
        _seconds(run.status).observe(max(0, after.updated_at_ms - run.created_at_ms) / 1000)


# Looking a label up costs more than counting.
@cache
def _decisions(topic: str) -> Counter:
    return DECISIONS.labels(topic)


@cache
def _runs(status: RunStatus, reason: StopReason) -> Counter:
    return RUNS_ENDED.labels(status.value, reason.value)


@cache
def _seconds(status: RunStatus) -> Histogram:
    return RUN_SECONDS.labels(status.value)
