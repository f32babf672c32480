"""Errors of sinks beside the general ones."""

from schemas.errors import ErrorCode, TransientError


class OvertakenError(TransientError):
    """Another process moved the offsets of a partition that this one believed to own."""

    code = ErrorCode.FENCED
