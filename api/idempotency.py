"""Retries: which message a request stands for, decided so that every replica decides the same.

The ids follow from the user and the key alone, so they need no memory. Redis remembers them beside a hash of
the request, so that a key that comes with another request is noticed.
"""

from asyncio import gather
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final, Protocol

import orjson

from api.problems import Problem
from schemas import ids
from schemas.errors import ErrorCode, TransientError
from telemetry.logs import logger

_HEADER: Final = "header"
_BODY: Final = "body"

_log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """How a caller names a request: `Idempotency-Key`, the message id in the body, both or neither."""

    key: str | None = None
    client_message_id: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names as they are remembered; the two kinds do not meet."""
        kinds = ((_BODY, self.client_message_id), (_HEADER, self.key))
        return tuple(f"{kind}:{name}" for kind, name in kinds if name is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The message that a request stands for."""

    session_id: str
    message_id: str
    is_new_session: bool
    is_retry: bool
    """Whether the same request may have been here before, on any replica."""

    @property
    def run_id(self) -> str:
        """The run that the message causes."""
        return ids.run_id(self.session_id, self.message_id)


class Remembered(Protocol):
    """What is kept under a key."""

    @property
    def value(self) -> str:
        """The first value."""
        ...

    @property
    def is_first(self) -> bool:
        """Whether it is this one."""
        ...

    @property
    def is_same_request(self) -> bool:
        """Whether the key came with the same request the first time."""
        ...


class Memory(Protocol):
    """What replicas remember together."""

    async def remember_key(
        self, user_id: str, key: str, request_hash: str, value: str, *, keep_s: int
    ) -> Remembered:
        """Keep the first value of a key. Raises TransientError."""
        ...


def request_hash(*parts: Any) -> str:
    """Return what tells requests apart: a hash of JSON values."""
    return sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def decided(user_id: str, named: Named, session_id: str | None) -> Identity:
    """Return the message of a request: by its names where it has any, else a new one."""
    name = named.names[0] if named.names else None
    return Identity(
        session_id=session_id or (ids.new_id() if name is None else ids.begun_id(user_id, name)),
        message_id=ids.new_id() if name is None else ids.said_id(user_id, name),
        is_new_session=session_id is None,
        is_retry=False,
    )


async def identified(
    memory: Memory, user_id: str, named: Named, session_id: str | None, *, hashed: str, keep_s: int
) -> Identity:
    """Decide and remember the message that a request stands for, before anything of it is published.

    Where Redis is away the ids are the same all the same; only a key with another request goes unnoticed.

    Raises:
        Problem: 422, a key came with another request before.

    """
    identity = decided(user_id, named, session_id)
    is_retry = False
    remembered = (
        memory.remember_key(user_id, name, hashed, identity.message_id, keep_s=keep_s) for name in named.names
    )
    for name, kept in zip(named.names, await gather(*remembered, return_exceptions=True), strict=True):
        if isinstance(kept, TransientError):
            _log.warning("key_not_remembered", error=kept.message)
            is_retry = True  # perhaps: the record is asked first
            continue
        if isinstance(kept, BaseException):
            raise kept
        if not kept.is_same_request or kept.value != identity.message_id:
            what = "Idempotency-Key" if name.startswith(_HEADER) else "client_message_id"
            detail = f"this {what} came with another request before; use a new one for each request"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, ErrorCode.INVALID, detail)
        is_retry = is_retry or not kept.is_first
    return Identity(
        session_id=identity.session_id,
        message_id=identity.message_id,
        is_new_session=identity.is_new_session,
        is_retry=is_retry,
    )
