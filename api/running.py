"""A caller's message from request to run: published once, waited for, and told as it ended."""

import asyncio
from dataclasses import dataclass
from typing import Self

from starlette.types import Receive

from api.accepting import count_run, end_run
from api.auth.claims import Caller
from api.edge import Edge
from api.idempotency import Identity
from api.own_writes import ENDED
from api.publishing import publish_message
from api.request_end import on_gone
from api.run_shapes import refusal, running_run
from api.run_waiter import Ticket
from schemas.errors import ErrorCode, MaestroError, PoisonError, TransientError
from schemas.lists import RunStatus
from schemas.partition import partition_of
from schemas.records import Run, UserMessage
from telemetry.tracing import Trace

_NEWEST = 50
"""Entries of a live feed in which the run that a session is busy with is looked for."""

_NEWEST_RUNS = 40
"""More runs than may wait for their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is known of a run when the wait is over. `run` is None while nothing is."""

    identity: Identity
    run: Run | None

    @property
    def has_ended(self) -> bool:
        """Whether the run has ended."""
        return self.run is not None and self.run.status.is_terminal


async def publish(
    edge: Edge, caller: Caller, identity: Identity, message: UserMessage, *, trace: Trace
) -> None:
    """Publish a message whose run is counted among the caller's.

    Raises:
        Problem: 429, too many runs are under way.
        PoisonError: it is too large; nothing was sent.
        TransientError: no acknowledgement in time; sent again it is the same message.

    """
    await count_run(edge, caller, identity.run_id)
    try:
        _ = await publish_message(edge, caller, message, trace=trace)
    except MaestroError:
        await end_run(edge, caller, identity.run_id)
        raise


async def run_message(
    edge: Edge,
    caller: Caller,
    identity: Identity,
    message: UserMessage,
    *,
    wait_s: float,
    trace: Trace,
    receive: Receive,
) -> Outcome:
    """Publish a message and wait for its run up to `wait_s` seconds, or until the caller has gone.

    That the caller goes does not cancel the run.

    Raises:
        Problem: 429, too many runs are under way; or as `refusal` says for a run that was rejected.
        PoisonError: the message is too large, or the session was erased.
        TransientError: no acknowledgement in time; sent again it is the same message.

    """
    ending = _Ending(edge, caller)
    ticket = edge.live.waiter.ticket(
        caller.user_id,
        identity.session_id,
        identity.run_id,
        is_late=identity.is_retry,
        when_told=ending.begin,
    )
    with ending:
        with ticket:
            if not (identity.is_retry and await _has_ended(edge, caller, identity)):
                # A retry too: the first one may have died before it was published, and twice is once.
                await publish(edge, caller, identity, message, trace=trace)
            ended = await _waited(edge, ticket, wait_s=wait_s, receive=receive)
        if ended is None:
            return Outcome(identity=identity, run=ticket.last_seen)
        await ending.done(ended)
    if ended.status is RunStatus.REJECTED:
        raise refusal(ended, running=await _busy_with(edge, ended))
    return Outcome(identity=identity, run=ended)


class _Ending:
    """What is remembered of a run's end before its caller is told. Use as `with`.

    It begins when the topic tells the end, in the turn of the loop in which the feed is asked whether that is
    true: so all of it is one exchange with Redis. Of an end that is not, nothing stays but a note that lets
    reads wait for the true one.
    """

    def __init__(self, edge: Edge, caller: Caller) -> None:
        self._edge = edge
        self._caller = caller
        self._begun: tuple[RunStatus, asyncio.Task[None]] | None = None

    def __enter__(self) -> Self:
        """Nothing has begun."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give up what the caller is not told."""
        if self._begun is not None:
            self._begun[1].cancel()

    def begin(self, run: Run) -> None:
        """Begin to remember the end of a run."""
        self._begun = run.status, asyncio.create_task(self._note(run), name="note the end of a run")

    async def done(self, run: Run) -> None:
        """Return when the end is remembered.

        Raises:
            TransientError: neither Redis nor the record can be reached.

        """
        if self._begun is None or self._begun[0] is not run.status:
            await self._note(run)
        else:
            await self._begun[1]

    async def _note(self, run: Run) -> None:
        ends = [end_run(self._edge, self._caller, run.id)]
        if run.status is not RunStatus.REJECTED:
            # What the caller is told here, their next read shall show.
            note = self._edge.live.own_writes.note
            ends.append(note(self._caller.user_id, run.session_id, run.id, ENDED))
        _ = await asyncio.gather(*ends)


async def _has_ended(edge: Edge, caller: Caller, identity: Identity) -> bool:
    try:
        run = await edge.web.run(caller.user_id, identity.run_id)
    except TransientError:
        return False
    return run is not None and run.status.is_terminal


async def _waited(edge: Edge, ticket: Ticket, *, wait_s: float, receive: Receive) -> Run | None:
    """Return the run when it ends in time; None when the wait, the caller or the process ends before."""
    if wait_s <= 0 or edge.stopping.is_set():
        return None
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def give_up() -> None:
        if not over.done():
            over.set_result(None)

    edge.live.waits.add(over)
    gone = on_gone(receive, give_up)
    end = asyncio.create_task(ticket.end(), name="end of a run")
    try:
        _ = await asyncio.wait([end, over], timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        return end.result() if end.done() else None
    finally:
        edge.live.waits.discard(over)
        for task in (gone, end):
            task.cancel()
        _ = await asyncio.gather(gone, end, return_exceptions=True)


async def _busy_with(edge: Edge, run: Run) -> str | None:
    """Return the run that a session is busy with, of which the rejected `run` is none."""
    if run.error_code != ErrorCode.BUSY:
        return None
    partition = partition_of(run.session_id, edge.partitions)
    try:
        newest = await edge.live.sources.pages.newest(partition, run.session_id, count=_NEWEST)
        found = running_run((item.kind, item.data) for record in newest for item in reversed(record.items))
        if found is not None:
            return found
        runs, _ = await edge.web.runs(run.user_id, run.session_id, page=1, per_page=_NEWEST_RUNS)
    except (TransientError, PoisonError):
        return None
    open_runs = (each.id for each in runs if each.status in {RunStatus.RUNNING, RunStatus.WAITING})
    return next(open_runs, None)
