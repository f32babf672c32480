"""A fleet as others see it: what they send, and what they get."""

from dataclasses import dataclass
from pathlib import Path

from tests.fleet.fleet import Fleet
from tests.fleet.letters import Letters
from tests.fleet.outsider import Outsider
from tests.fleet.runs import Runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """A running fleet, a producer that knows nothing of it, its terminal runs and its dead letters.

    `effects` is the folder in which its tools write down their starts.
    """

    fleet: Fleet
    producer: Outsider
    runs: Runs
    letters: Letters
    effects: Path
