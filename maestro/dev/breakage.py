"""When a dead service is started again, and when dev gives up. Pure."""

from dataclasses import dataclass
from typing import Final

from maestro.embedded.restart import History, after_end, restart_delay_s

MOST_FAILURES: Final = 4
"""Deaths in a row, none after a healthy minute, after which another start would only hide the cause."""


@dataclass(frozen=True, slots=True)
class Again:
    """Start it again after a pause."""

    history: History
    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It dies as often as it is started."""

    history: History


def after_death(history: History, *, ran_s: float) -> Again | GiveUp:
    """Decide what follows the end of a service that had run for so many seconds."""
    ended = after_end(history, ran_s=ran_s)
    if ended.failures >= MOST_FAILURES:
        return GiveUp(ended)
    return Again(ended, restart_delay_s(ended))
