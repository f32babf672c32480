"""Checkpoints: now and then the log carries the whole context, and a rebuild begins there.

A checkpoint is the first entry of its decision and holds the context before it. So the decision stays whole:
whoever starts at a checkpoint has its decision's other entries after it.
"""

from collections.abc import Sequence

from msgspec import Raw

from schemas.lists import Action
from schemas.topics import MAX_VALUE_BYTES
from streams.session.context import FORMAT, Context, from_bytes, to_bytes
from streams.session.draft import Draft
from streams.session.payload_text import text_of
from streams.session.payloads import Checkpoint

CHECKPOINT_LOGS = 200
"""Entries between two checkpoints: a rebuild folds no more than these and one decision."""

ENTRY_OVERHEAD_BYTES = 512
"""Ids, hashes and names of one entry in its record."""


def checkpoint(context: Context, drafts: Sequence[Draft]) -> tuple[Draft, ...]:
    """Return the checkpoint that goes before `drafts`, or nothing where none is due.

    A context that does not fit one message together with `drafts` (long messages wait for their turn) gets
    its checkpoint with a later decision, when it has become smaller.
    """
    if not drafts or context.since_checkpoint + len(drafts) < CHECKPOINT_LOGS:
        return ()
    if any(draft.action is Action.SESSION_ERASED for draft in drafts):
        return ()
    data = to_bytes(context)
    others = sum(len(text_of(draft.payload).encode()) + ENTRY_OVERHEAD_BYTES for draft in drafts)
    if len(data) + others + 2 * ENTRY_OVERHEAD_BYTES > MAX_VALUE_BYTES:
        return ()
    return (Draft(action=Action.CHECKPOINT, payload=Checkpoint(format=FORMAT, context=Raw(data))),)


def restored(payload: Checkpoint) -> Context | None:
    """Return the context that `payload` holds, or None when another version wrote it."""
    return from_bytes(bytes(payload.context)) if payload.format == FORMAT else None
