"""What a call of the publisher waits for: one future for all of its records."""

import asyncio
from typing import Any

from schemas.errors import TransientError


class Awaited:
    """The records of one call, on their way. `future` is done when each of them has an outcome.

    Who gives up earlier may set the future's result: what has no outcome then came too late.
    """

    __slots__ = ("_open", "future", "sent")

    def __init__(self, topics: list[str]) -> None:
        """Wait for one record of each of `topics` (at least one), in this order."""
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent = [Sent(topic, self) for topic in topics]
        self._open = len(topics)

    def settle_one(self) -> None:
        """Count an outcome."""
        self._open -= 1
        if not self._open and not self.future.done():
            self.future.set_result(None)


class Sent:
    """One record. A batch settles it where it would settle a future of aiokafka's, one for each record."""

    __slots__ = ("_call", "outcome", "topic")

    def __init__(self, topic: str, call: Awaited) -> None:
        """Belong to `call`; `topic` is the full name."""
        self.topic = topic
        self.outcome: Any = None
        self._call = call

    def done(self) -> bool:
        """Return whether there is an outcome."""
        return self.outcome is not None

    def set_result(self, outcome: Any) -> None:
        """Take where the record was put, or the exception that says why it was not."""
        self.outcome = outcome
        self._call.settle_one()

    set_exception = set_result

    def follow(self, future: "asyncio.Future[Any]") -> None:
        """Take the outcome of a future of aiokafka's."""
        self.set_result(None if future.cancelled() else future.exception() or future.result())

    @property
    def problem(self) -> BaseException | None:
        """Why the record is not known to be where all replicas have it; None when it is."""
        if self.outcome is None:
            return TimeoutError()
        if isinstance(self.outcome, BaseException):
            return self.outcome
        if self.outcome.offset < 0:
            # The broker knows the batch as a repetition but no longer where it is.
            message = f"{self.topic} has the message, but its offset is unknown: publish it again"
            return TransientError(message)
        return None
