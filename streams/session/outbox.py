"""Publishes what a decision owes to the topics, logs first and whole, and remembers what was acknowledged.

The outbox beside a stored context holds the decision's logs only; its other outputs follow from both.
"""

from collections import OrderedDict
from collections.abc import Sequence

import orjson
from pydantic import ValidationError

from schemas.errors import TransientError
from schemas.records import Record, TaskLogs
from streams.phase import next_phase
from streams.session.context import Context
from streams.session.ports import Delivery, Publisher
from streams.session.project import project
from telemetry.points import point
from telemetry.tracing import Trace, derived


def to_bytes(logs: TaskLogs | None) -> bytes:
    """Return the outbox of a decision; empty for none (a context that was only rebuilt)."""
    # Fields as they are: in a seventh of the time of pydantic's own writer, which checks what it writes.
    return b"" if logs is None else orjson.dumps(logs, default=vars)


def from_bytes(data: bytes) -> TaskLogs | None:
    """Return the logs that `to_bytes` wrote.

    Raises:
        TransientError: a newer version wrote it, and may not be thrown away here.

    """
    if not data:
        return None
    try:
        return TaskLogs.model_validate_json(data)
    except ValidationError as error:
        message = (
            "what a session still has to publish was stored by a newer version, which this one cannot read;"
            " upgrade this worker too: the session waits until then"
        )
        raise TransientError(message) from error


class Outbox:
    """Deliveries of one process. What it remembers lives and dies with this object, never in a store.

    The same process may have failed half-way, and another one may carry its name: only the object that saw
    every acknowledgement knows that nothing is owed.
    """

    def __init__(self, publisher: Publisher, *, remembered: int = 100_000) -> None:
        """Remember the last decision of `remembered` sessions; a forgotten one is only published again."""
        self._publisher = publisher
        self._remembered = remembered
        self._delivered: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def is_delivered(self, session_id: str, *, term: int, version: int) -> bool:
        """Return whether this object saw every delivery of exactly this decision acknowledged."""
        return self._delivered.get(session_id) == (term, version)

    def remember(self, session_id: str, *, term: int, version: int) -> None:
        """Note that nothing is owed for this decision."""
        self._delivered[session_id] = (term, version)
        self._delivered.move_to_end(session_id)
        if len(self._delivered) > self._remembered:
            self._delivered.popitem(last=False)

    async def publish(self, after: Context, logs: TaskLogs | None, *, partition: int, term: int) -> None:
        """Publish the decision that `after` and `logs` are, await every delivery, then remember it.

        Raises:
            TransientError: the topics are away; some of it may be published, all of it is again next time.

        """
        if logs is not None:
            trace = trace_of(logs)
            await self._publisher.publish(logs, trace=trace, partition=partition)
            await point("session.logs_published")
            outputs = project(after, logs, partition)
            await next_phase()
            await self.publish_all(outputs, trace=trace, partition=partition)
        self.remember(after.session_id, term=term, version=after.sequence)

    async def publish_logs(self, logs: TaskLogs, *, partition: int) -> Delivery:
        """Publish a decision's logs, or a fence, and return where the broker put the record."""
        return await self._publisher.publish(logs, trace=trace_of(logs), partition=partition)

    async def publish_all(self, records: Sequence[Record], *, trace: Trace, partition: int) -> None:
        """Publish records of one partition at the same time, in no order, and await every delivery."""
        await self._publisher.publish_all(records, trace=trace, partition=partition)


def trace_of(logs: TaskLogs) -> Trace:
    """Return the trace that a decision's outputs carry: the same whoever publishes them."""
    return Trace(logs.trace_id, derived(logs.cause_id).span_id)
