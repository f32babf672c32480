"""Publishes what a caller asks for, and remembers it so that the caller's next read contains it."""

from api.auth.claims import Caller
from api.edge import Edge
from api.own_writes import MESSAGE
from bus.publisher import Delivery
from schemas.partition import partition_of
from schemas.records import SessionCommand, UserMessage
from telemetry.tracing import Trace, derived


async def publish_command(
    edge: Edge, caller: Caller, command: SessionCommand, *, trace: Trace | None = None
) -> None:
    """Publish a command that has an id and is the caller's, and return when it is kept and remembered.

    Who may steer the session is for the route to know: the command is published as it is.

    Raises:
        PoisonError: it is too large; nothing was sent.
        TransientError: no acknowledgement in time; it may arrive all the same.

    """
    _ = await _publish(edge, command, trace)
    await edge.live.own_writes.note(caller.user_id, command.session_id, str(command.id), command.kind.value)


async def publish_message(
    edge: Edge, caller: Caller, message: UserMessage, *, trace: Trace | None = None
) -> Delivery:
    """Publish a message that has an id and is the caller's, and return when it is kept and remembered.

    Raises:
        PoisonError: it is too large; nothing was sent.
        TransientError: no acknowledgement in time; it may arrive all the same.

    """
    delivery = await _publish(edge, message, trace)
    # The workers are at it already: remembering takes none of the run's time.
    await edge.live.own_writes.note(caller.user_id, message.session_id, str(message.id), MESSAGE)
    return delivery


async def _publish(edge: Edge, record: UserMessage | SessionCommand, trace: Trace | None) -> Delivery:
    return await edge.publisher.publish(
        record,
        trace=trace or derived(str(record.id)),
        partition=partition_of(record.session_id, edge.partitions),
    )
