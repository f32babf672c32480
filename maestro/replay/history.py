"""A session's decisions out of the record: read page by page, checked, and folded one after the other."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from schemas.errors import ErrorCode, NotFoundError, PoisonError
from schemas.records import TaskLogs
from stores.postgres.session_logs import Head, SessionLogs, StoredLog
from streams.session.cause import Cause
from streams.session.context import FORMAT, Context, empty, to_bytes
from streams.session.evolve import evolve
from streams.session.log import verify_chain
from streams.session.payload_text import read_payload
from streams.session.payloads import Checkpoint
from streams.session.recorded import decisions_of
from streams.session.redecide import context_difference

_PAGE = 500
"""Entries that are read at once; one may carry a whole context."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One decision, with the context before and after it."""

    before: Context
    logs: TaskLogs
    after: Context


async def known_head(logs: SessionLogs, session_id: str) -> Head:
    """Return where the session's log stands.

    Raises:
        NotFoundError: nothing is recorded of it.
        PoisonError: it was erased.
        TransientError: the record cannot answer now.

    """
    head = await logs.head(session_id)
    if head.erased:
        message = f"session {session_id} was erased: there is nothing to replay"
        raise PoisonError(message, code=ErrorCode.ERASED)
    if not head.sequence:
        message = f"nothing is recorded of session {session_id}: `maestro sessions` lists those that are"
        raise NotFoundError(message)
    return head


async def history(logs: SessionLogs, session_id: str, *, upto: int) -> AsyncGenerator[Moment]:
    """Yield the session's decisions up to the entry `upto`, the last one cut there.

    Numbers and hashes are checked, and that a checkpoint is what the entries before it make.

    Raises:
        PoisonError: the log does not hold; the sentence says where.
        FatalError: an action that this version does not know.
        TransientError: the record cannot answer now.

    """
    context = empty(session_id)
    async for decision in _decisions(logs, session_id, upto=upto):
        broken = verify_chain([decision], after_sequence=context.sequence, after_hash=context.hash)
        if broken is not None:
            message = f"the chain of session {session_id} is broken at entry {broken.sequence}: {broken.what}"
            raise PoisonError(message)
        after = _folded(context, decision)
        yield Moment(context, decision, after)
        context = after
    if context.sequence != upto:
        message = (
            f"the record has a gap: entry {context.sequence + 1} of session {session_id} is missing;"
            " see docs/protocol.md"
        )
        raise PoisonError(message)


async def context_at(logs: SessionLogs, session_id: str, sequence: int) -> Context:
    """Return the session's context after its entry number `sequence`. Raises what `history` raises."""
    context = empty(session_id)
    async for moment in history(logs, session_id, upto=sequence):
        context = moment.after
    return context


async def _decisions(logs: SessionLogs, session_id: str, *, upto: int) -> AsyncGenerator[TaskLogs]:
    held: list[StoredLog] = []
    last = 0
    while last < upto:
        page = await logs.entries(session_id, after=last, upto=min(last + _PAGE, upto))
        if not page:
            break  # a gap, which the reader finds
        last = page[-1].sequence
        held += page
        whole = _whole(held) if last < upto else len(held)
        for decision in decisions_of(held[:whole]):
            yield decision
        del held[:whole]
    for decision in decisions_of(held):
        yield decision


def _whole(rows: Sequence[StoredLog]) -> int:
    """Return how many of `rows` belong to decisions that are surely there to their end."""
    newest = (rows[-1].term, rows[-1].cause_id)
    return next(
        number
        for number in range(len(rows), -1, -1)
        if not number or (rows[number - 1].term, rows[number - 1].cause_id) != newest
    )


def _folded(context: Context, decision: TaskLogs) -> Context:
    cause = Cause.of_logs(decision)
    for entry in decision.entries:
        payload = read_payload(entry.action, entry.payload)
        if isinstance(payload, Checkpoint) and payload.format == FORMAT:
            _check(context, bytes(payload.context), entry.sequence)
        context = evolve(context, entry, cause)
    return context


def _check(context: Context, kept: bytes, sequence: int) -> None:
    found = context_difference(to_bytes(context), kept)
    if found is not None:
        message = (
            f"the checkpoint at entry {sequence} is not what the entries before it make: {found[0]} is"
            f" {found[2]!r} there and {found[1]!r} in the fold"
        )
        raise PoisonError(message)
