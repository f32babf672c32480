"""Reading of replies at the door: each function takes one shape or says that the server answered another."""

from schemas.errors import ErrorCode, FatalError, MaestroError, TransientError
from stores.redis.wire import ErrorReply, Reply

# The server will answer again, or another one will: keep the input and try later.
_PASSING = frozenset(
    ("LOADING", "BUSY", "MASTERDOWN", "READONLY", "TRYAGAIN", "CLUSTERDOWN", "NOREPLICAS", "MISCONF", "OOM")
)
# After these the connection leads to the wrong server, or to one that cannot serve.
LEAVE = frozenset(("LOADING", "MASTERDOWN", "READONLY"))
_REFUSED_LOGIN = frozenset(("NOAUTH", "WRONGPASS", "NOPERM"))


def translate(error: ErrorReply) -> MaestroError:
    """Return our error for an error reply."""
    if error.code == "OOM":
        return TransientError(
            "Redis has no memory left: raise its maxmemory, or remove data that is not ours."
        )
    if error.code in _PASSING:
        return TransientError(f"Redis cannot serve now: {error.text}")
    if error.code in _REFUSED_LOGIN or "invalid password" in error.text:
        return FatalError(f"Redis refused us: {error.text}. Check user, password and rights in REDIS_URL.")
    if error.code == "WRONGTYPE":
        return FatalError(
            "What is in Redis under our names is another program's, or an older version's: set"
            " MAESTRO_REDIS_PREFIX to names that nobody uses, or empty Redis (sessions come again from the"
            f" record; `maestro dev --reset` empties all that it keeps). It says: {error.text}",
            code=ErrorCode.REFUSED_BY_STORE,
        )
    return FatalError(f"Redis refused a command: {error.text}", code=ErrorCode.REFUSED_BY_STORE)


def _unexpected(reply: Reply) -> FatalError:
    return FatalError(
        f"Redis answered a {type(reply).__name__} where something else was due.",
        code=ErrorCode.REFUSED_BY_STORE,
    )


def as_list(reply: Reply) -> list[Reply]:
    """Return the reply as a list; nothing counts as an empty one."""
    if reply is None:
        return []
    if isinstance(reply, list):
        return reply
    raise _unexpected(reply)


def as_bytes(reply: Reply) -> bytes:
    """Return the reply as bytes."""
    if isinstance(reply, bytes):
        return reply
    raise _unexpected(reply)


def as_text(reply: Reply) -> str:
    """Return the reply as text."""
    return as_bytes(reply).decode()


def as_int(reply: Reply) -> int:
    """Return the reply as an integer; digits count."""
    if isinstance(reply, int | bytes):
        return int(reply)
    raise _unexpected(reply)
