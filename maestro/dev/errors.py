"""Why dev could not start, or had to stop."""

from schemas.errors import ErrorCode, MaestroError


class DevError(MaestroError):
    """Dev cannot go on; the sentence says why and what to do."""

    code = ErrorCode.UNAVAILABLE
