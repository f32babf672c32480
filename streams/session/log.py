"""The session's log: chain drafts into entries, fold entries into a context, and check a chain.

An entry's hash is the lower-case hexadecimal SHA-256 over the UTF-8 text of these values, joined by one
newline (U+000A):

    previous_hash   (empty for the first entry)
    session_id
    sequence        (decimal)
    action
    run_id          (empty when null)
    tool_name       (empty when null)
    tool_call_id    (empty when null)
    success         (true or false)
    cause_id
    occurred_at     (microseconds since 1970-01-01 UTC, decimal)
    payload         (the JSON text exactly as stored)

The term is not part of it. Anybody can check a chain from the columns of the record alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from schemas import ids
from schemas.records import LogEntry, TaskLogs
from streams.built import built
from streams.session.cause import Cause
from streams.session.checkpoint import checkpoint
from streams.session.context import Context, empty
from streams.session.draft import Draft
from streams.session.event import Event
from streams.session.evolve import evolve
from streams.session.payload_text import remember, text_of

NOBODY = "-"
"""User of a log record that belongs to nobody: a fence, the last one of an erased session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Where a chain is broken, and how."""

    sequence: int
    what: str


def chain(
    context: Context, drafts: Sequence[Draft], event: Event, *, term: int
) -> tuple[Context, tuple[LogEntry, ...]]:
    """Number, hash and fold `drafts`: return the context after them, and their entries.

    `term` is the session's fence in force; what is asked for remembers it. A checkpoint goes before the
    drafts where one is due. No drafts: the same context and no entries.
    """
    cause = Cause.of_event(event, term=term)
    entries: list[LogEntry] = []
    for draft in (*checkpoint(context, drafts), *drafts):
        payload = draft.payload
        entry = next_entry(context, draft, text_of(payload), cause)
        # Reading the text would give an equal payload, as whoever folds the record does.
        remember(entry.action, entry.payload, payload)
        context = evolve(context, entry, cause, payload)
        entries.append(entry)
    return context, tuple(entries)


def task_logs(after: Context, entries: tuple[LogEntry, ...], event: Event, *, term: int) -> TaskLogs:
    """Return the record of one decision; `after` and `entries` come from `chain`, same event and term."""
    return built(
        TaskLogs,
        session_id=after.session_id,
        task_id=after.task_id,
        user_id=after.user_id or NOBODY,
        term=term,
        fence_previous=None,
        cause_id=event.id,
        cause_topic=event.topic,
        cause_partition=event.partition,
        cause_offset=event.offset,
        trace_id=event.trace_id,
        occurred_at=event.at,
        entries=entries,
    )


def fold(session_id: str, decisions: Iterable[TaskLogs]) -> Context:
    """Return the context that `decisions` (valid ones, in order; fences have no entries) leave.

    They begin with the session's first, or with one that carries a checkpoint: the result is the same.

    Raises:
        FatalError: an action that this version does not know.

    """
    context = empty(session_id)
    for logs in decisions:
        cause = Cause.of_logs(logs)
        for entry in logs.entries:
            context = evolve(context, entry, cause)
    return context


def verify_chain(
    decisions: Iterable[TaskLogs], *, after_sequence: int = 0, after_hash: str = ""
) -> Break | None:
    """Return the first place where numbers or hashes of `decisions` do not hold, or None when all is well.

    `after_sequence` and `after_hash` are of the entry before the first one given; the defaults mean: from the
    beginning.
    """
    sequence, previous = after_sequence, after_hash
    for logs in decisions:
        cause = Cause.of_logs(logs)
        for entry in logs.entries:
            sequence += 1
            if entry.sequence != sequence:
                return Break(sequence=sequence, what=f"entry {entry.sequence} stands in its place")
            if entry.previous_hash != previous:
                return Break(sequence=sequence, what="its previous hash is not the hash of the entry before")
            if entry.hash != entry_hash(logs.session_id, entry, cause):
                return Break(sequence=sequence, what="its hash is not the hash of its own text")
            previous = entry.hash
    return None


def entry_hash(session_id: str, entry: LogEntry, cause: Cause) -> str:
    """Return what the hash of `entry` must be, by the rule at the top of this file."""
    return _hash((entry.previous_hash, session_id, str(entry.sequence)), entry, entry.payload, cause)


def _hash(place: tuple[str, str, str], what: Draft | LogEntry, payload: str, cause: Cause) -> str:
    values = (
        *place,
        what.action,
        what.run_id or "",
        what.tool_name or "",
        what.tool_call_id or "",
        "true" if what.success else "false",
        cause.id,
        str(cause.occurred_at_us),
        payload,
    )
    return sha256("\n".join(values).encode()).hexdigest()


def next_entry(context: Context, draft: Draft, payload: str, cause: Cause) -> LogEntry:
    """Return what `draft`, with its `payload` as text, is as the next entry of `context`'s log."""
    sequence = context.sequence + 1
    digest = _hash((context.hash, context.session_id, str(sequence)), draft, payload, cause)
    return built(
        LogEntry,
        id=ids.log_id(context.session_id, sequence),
        sequence=sequence,
        action=draft.action,
        run_id=draft.run_id,
        tool_name=draft.tool_name,
        tool_call_id=draft.tool_call_id,
        success=draft.success,
        payload=payload,
        previous_hash=context.hash,
        hash=digest,
    )
