"""What the outside world says about an earlier try of a tool: it was done, it was not, or nobody can tell."""

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class WasDone:
    """The earlier try did its work; `value` is what the tool would have returned."""

    value: Any = None


@dataclass(frozen=True, slots=True)
class WasNotDone:
    """The earlier try had no effect, and it will have none any more: the tool may start."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """Nobody knows yet: the call ends as *outcome unknown*. The reason goes to the model and to people."""

    reason: str = ""


Reconciled: TypeAlias = WasDone | WasNotDone | CannotTell
