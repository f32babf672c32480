"""The one way back to a context that Redis does not have: from the record, behind a fence.

It makes no difference whether the session is new, expired or lost; no clock is used as proof.
"""

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from schemas import ids
from schemas.errors import TransientError
from schemas.lists import Action
from schemas.records import GenerationRequest, Record, Session, Task, TaskLogs, ToolCall
from stores.redis.contexts import Loaded, Stored
from streams.session import outputs
from streams.session.context import FORMAT, Context
from streams.session.event import Event
from streams.session.log import NOBODY, fold
from streams.session.opened import Opened
from streams.session.outbox import Outbox, trace_of
from streams.session.ports import Barrier, Contexts, Head, SessionLogs
from streams.session.project import project, reissue
from streams.session.recorded import decisions_of
from telemetry.metrics import CONTEXT_REBUILDS, RECORD_GAPS
from telemetry.points import point

_log = logging.getLogger(__name__)


class Absence(Enum):
    """Why there is nothing to open."""

    ERASED = "erased"
    CHANGED = "changed"
    """Somebody else was faster: start over."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stored context of another format, whose logs are published: it counts as absent."""

    term: int
    version: int


class Rebuilder:
    """Makes contexts from the record."""

    def __init__(
        self, *, contexts: Contexts, logs: SessionLogs, outbox: Outbox, barrier: Barrier, marker_s: int
    ) -> None:
        """`marker_s`: seconds that a rebuild in progress may stand in place of an unreadable context."""
        self._contexts = contexts
        self._logs = logs
        self._outbox = outbox
        self._barrier = barrier
        self._marker_s = marker_s

    async def rebuild(self, event: Event, unreadable: Unreadable | None = None) -> Opened | Absence:
        """Return the context of the event's session as the record has it, not stored yet.

        The fence's predecessor is read before the token is left: whoever stored in between left a fence,
        which makes ours void, or a context, which is found. What is pending is asked for again, with its
        original birth. `event` is named as the fence's cause.

        Raises:
            TransientError: Redis, Kafka or Postgres is away, or the sink is not coming on.

        """
        head = await self._logs.head(event.session_id)
        if head.erased:
            return Absence.ERASED
        found = await self._leave_token(event, unreadable)
        if isinstance(found, Absence):
            return found
        loaded, expected = found
        term = await self._fence(event, head)
        head = await self._logs.head(event.session_id)
        if head.erased:
            return Absence.ERASED
        if head.fence != term:
            return Absence.CHANGED
        decisions = await self._decisions(event.session_id, head)
        context = _folded(event.session_id, decisions)
        if context is None or (context.sequence, context.hash) != (head.sequence, head.hash):
            return await self._incomplete(event.session_id, head)
        await self._publish_again(context, decisions, event.partition, term=term)
        if decisions:
            CONTEXT_REBUILDS.inc()
        return Opened(
            context=context,
            term=term,
            epoch=loaded.epoch.id,
            expected=expected,
            now_ms=loaded.now_ms,
            is_rebuilt=True,
        )

    async def _leave_token(
        self, event: Event, unreadable: Unreadable | None
    ) -> tuple[Loaded, str | tuple[int, int]] | Absence:
        loaded = await self._contexts.load(event.partition, event.session_id, leave_token=True)
        if loaded.token is not None:
            return loaded, loaded.token
        stored = loaded.stored
        if (
            stored is None
            or unreadable is None
            or (stored.term, stored.version) != (unreadable.term, unreadable.version)
        ):
            return Absence.CHANGED
        # A context that is there leaves no room for a token: a marker of a random version takes its place, so
        # that nobody can store on top of what is given up, and only the last one who marked it can store.
        marker = Stored(context=b"", outbox=b"", term=stored.term, version=-1 - secrets.randbits(62))
        is_marked = await self._contexts.store(
            event.partition,
            event.session_id,
            epoch=loaded.epoch.id,
            expected=(stored.term, stored.version),
            new=marker,
            ttl_s=self._marker_s,
        )
        return (loaded, (marker.term, marker.version)) if is_marked else Absence.CHANGED

    async def _fence(self, event: Event, head: Head) -> int:
        """Publish a fence after the one in force; return its term when the record has it or found it void."""
        fence = TaskLogs(
            session_id=event.session_id,
            task_id=ids.task_id(event.session_id),
            user_id=NOBODY,
            term=head.fence,
            fence_previous=head.fence,
            cause_id=event.id,
            cause_topic=event.topic,
            cause_partition=event.partition,
            cause_offset=event.offset,
            trace_id=event.trace_id,
            occurred_at=event.at,
            entries=(),
        )
        delivery = await self._outbox.publish_logs(fence, partition=event.partition)
        await point("session.fenced")
        term = delivery.offset + 1
        await self._barrier.wait(delivery.topic, event.partition, term)
        await point("session.barrier_passed")
        return term

    async def _decisions(self, session_id: str, head: Head) -> Sequence[TaskLogs]:
        rows = await self._logs.since_checkpoint(session_id, upto=head.sequence, context_format=FORMAT)
        return list(decisions_of(rows))

    async def _incomplete(self, session_id: str, head: Head) -> Absence:
        """Tell why the entries do not lead to `head`: it has moved on meanwhile, or the record has a gap."""
        now = await self._logs.head(session_id)
        if now.erased:
            return Absence.ERASED
        if (now.fence, now.sequence, now.hash) != (head.fence, head.sequence, head.hash):
            return Absence.CHANGED
        RECORD_GAPS.inc()
        message = (
            f"rows of task_logs are missing: those of session {session_id} do not lead to its entry"
            f" {head.sequence}. The session waits; restore the rows, or give it up as docs/protocol.md says"
        )
        _log.error("%s", message)
        raise TransientError(message)

    async def _publish_again(
        self, context: Context, decisions: Sequence[TaskLogs], partition: int, *, term: int
    ) -> None:
        """Publish the last decision's outputs under the new term, and ask for what is pending once more.

        Nobody knows whether they were published; what a void decision published loses to the new term.
        """
        if not decisions or context.erased:
            return
        last = decisions[-1].model_copy(update={"term": term})
        again: list[Record] = list(project(context, last, partition))
        asked = {record.id for record in again if isinstance(record, GenerationRequest | ToolCall)}
        again += [request for request in reissue(context) if request.id not in asked]
        if not any(isinstance(record, Task) for record in again):
            again.append(outputs.task_record(context, last, version=context.sequence))
        if not any(isinstance(record, Session) for record in again):
            # The owner of the partition re-arms lost timers from this record; a void one may name none.
            again.append(outputs.session_record(context, last, partition, version=context.sequence))
        await self._outbox.publish_all(again, trace=trace_of(last), partition=partition)


def _folded(session_id: str, decisions: Sequence[TaskLogs]) -> Context | None:
    """Return the fold, or None where the entries begin in the middle of the session."""
    if decisions:
        first = decisions[0].entries[0]
        if first.sequence > 1 and first.action is not Action.CHECKPOINT:
            return None
    return fold(session_id, decisions)
