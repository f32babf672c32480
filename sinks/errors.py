"""Errors of sinks beside the general ones."""

from typing import Self

from schemas.errors import ErrorCode, FatalError, TransientError


class OvertakenError(TransientError):
    """Another process moved the offsets of a partition that this one believed to own."""

    code = ErrorCode.FENCED


class BrokenLogError(FatalError):
    """A session's log cannot go on: without this record the session could never be rebuilt."""

    code = ErrorCode.REFUSED_BY_STORE

    @classmethod
    def at(cls, partition: int, offset: int, session_id: str | None, reason: str) -> Self:
        """Return the error for the record at a place of task-logs."""
        return cls(
            f"the log of session {session_id or 'unknown'} cannot go on at partition {partition}, offset"
            f" {offset} of task-logs: {reason}. It is not passed over. Start the version of Maestro that"
            " wrote it, or give the session up as docs/sinks.md says"
        )
