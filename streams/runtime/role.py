"""What a role must offer to be run: its topics, its order, its work."""

from collections.abc import Hashable
from typing import Protocol

from streams.runtime.record import Record


class Role(Protocol):
    """The code of one role. The runtime calls it on one event loop, many steps at a time.

    `lane` and `join_key` are asked once per delivery and must be quick and must not raise: an exception there
    stops the process, because without them no order can be kept.
    """

    @property
    def topics(self) -> tuple[str, ...]:
        """Full names of all input topics; all have the same number of partitions."""
        ...

    def lane(self, record: Record) -> Hashable | None:
        """Return the serial lane of `record`: steps run one at a time in arrival order. None: no order."""
        ...

    def join_key(self, record: Record) -> Hashable | None:
        """Return what identifies the work; None: nothing does.

        A second message with the key of a step that is queued or runs here is joined to it: acknowledged when
        that step has succeeded, and given a step of its own when it was dead-lettered or cancelled.
        """
        ...

    async def step(self, record: Record) -> None:
        """Do all of the work; returning acknowledges the message, so every delivery must have been awaited.

        May be called again for a message whose step had finished elsewhere or before a crash. Raises
        `TransientError` to be called again after a pause (its lane waits, others go on) and `FatalError` to
        stop the process with exit code 1. Any other exception dead-letters the message through `on_poison`.
        A cancelled step must release what it holds (leases) before it lets the cancellation through.
        """
        ...

    async def on_poison(self, record: Record, error: Exception) -> None:
        """Keep a message that cannot be processed. When this raises, the step is tried again later."""
        ...

    async def on_assigned(self, partitions: frozenset[int]) -> None:
        """Learn which partition numbers are owned now (the same of every topic); steps start afterwards.

        The group's rebalance waits for this: start tasks for what takes long. An exception ends the process.
        """
        ...

    async def on_revoked(self, partitions: frozenset[int]) -> None:
        """Learn which partition numbers were owned until now; their offsets are committed already.

        A rebalance revokes everything and assigns the whole new set afterwards. Also called at the end of the
        process.
        """
        ...
