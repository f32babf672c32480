"""One message on its way through the runner."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum, auto

from streams.runtime.acker import Place
from streams.runtime.record import Record


class Outcome(Enum):
    """How one attempt of a step ended."""

    DONE = auto()
    POISONED = auto()
    """Dead-lettered: the message is finished, messages joined to it are not."""
    RETRY = auto()


@dataclass(slots=True, eq=False)
class Ticket:
    """A record with its place in the order and the attempt that works on it. Compared by identity."""

    place: Place
    record: Record
    lane: Hashable | None
    join_key: Hashable | None
    attempts: int = 0
    task: asyncio.Task[Outcome] | None = None
    """The attempt under way; None while the step waits for its turn or for a retry."""
    slot: asyncio.Future[None] | None = None
    """What a parked step awaits to get a slot again."""
    retry: asyncio.TimerHandle | None = None
    is_shielded: bool = False
    """Whether the attempt goes on when the place goes elsewhere."""
    is_stray: bool = False
    """Whether the place has gone elsewhere and the message has not come again since."""
    joined: tuple["Ticket", ...] = ()

    def join(self, other: "Ticket") -> None:
        """Let another message of the same work wait for this one."""
        self.joined = (*self.joined, other)
