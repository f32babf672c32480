"""The fast path: when a session that Redis does not have is certainly new, without asking the record.

A session that exists was opened before, and whoever opened it first left a token in Redis. So it is new when
its id was made in this epoch, lately enough that a token would still be there, and there was none. The time
in an id is its producer's clock, the rest is Redis' clock: they must agree within the margin.
"""

from uuid import RFC_4122, UUID

from schemas.lists import CommandKind
from schemas.records import SessionCommand, UserMessage
from stores.redis.contexts import Loaded
from streams.session.event import Event

MARGIN_MS = 60_000
"""By how much a producer's clock may differ from that of Redis."""
YOUNG_MS = 55_000
"""Age up to which a session may be new: tokens are kept for a minute at least."""

_VERSION_7 = 7
_TIME_SHIFT = 80


def may_begin(event: Event) -> bool:
    """Return whether `event` can be a session's first, and the session's id tells when it was made."""
    match event.record:
        case UserMessage() | SessionCommand(kind=CommandKind.CREATE):
            return born_ms(event.session_id) is not None
        case _:
            return False


def is_certainly_new(loaded: Loaded, session_id: str) -> bool:
    """Return whether nobody can have opened the session before this load, which left a token."""
    born = born_ms(session_id)
    if born is None or loaded.stored is not None or loaded.token is None or loaded.had_token:
        return False
    if born <= loaded.epoch.born_ms + MARGIN_MS:
        return False
    return born <= loaded.now_ms < born + YOUNG_MS


def born_ms(session_id: str) -> int | None:
    """Return the Unix time in milliseconds that a UUIDv7 carries; None for other ids."""
    identity = UUID(session_id)
    if identity.variant != RFC_4122 or identity.version != _VERSION_7:
        return None
    return identity.int >> _TIME_SHIFT
