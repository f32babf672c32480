"""When a role that ended is started again: pure rules over what happened so far."""

from dataclasses import dataclass, replace

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
# A role that worked for so long has nothing to do with its earlier failures.
HEALTHY_AFTER_S = 60.0
# Bad settings stay bad: starting again would only fill the log.
EXIT_MISCONFIGURED = 2


@dataclass(frozen=True, slots=True)
class History:
    """Failures of a role in a row, and its restarts in all."""

    failures: int = 0
    restarts: int = 0


def after_end(history: History, *, ran_s: float) -> History:
    """Return the history after the role ended, having run for so many seconds."""
    failures = 1 if ran_s >= HEALTHY_AFTER_S else history.failures + 1
    return replace(history, failures=failures, restarts=history.restarts + 1)


def restart_delay_s(history: History) -> float:
    """Return how long to wait before the next start: doubled with each failure in a row, within limits."""
    doublings = min(max(history.failures - 1, 0), 16)
    return min(FIRST_DELAY_S * 2**doublings, LONGEST_DELAY_S)


def is_worth_restarting(exit_code: int | None) -> bool:
    """Tell whether another start could go better."""
    return exit_code != EXIT_MISCONFIGURED
