"""Every status with which the edge refuses, what it means, and an example of its problem document."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from schemas.errors import ErrorCode

_RUN: Final = "0197a3c4-5b1e-7c7a-9a51-3f0f6f1c2d3f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One status that refuses."""

    status: int
    name: str
    """Its name in the API document."""
    meaning: str
    code: ErrorCode
    detail: str
    members: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: tuple[str, ...] = ()


_ALL: Final = (
    Refusal(
        status=400,
        name="Unreadable",
        meaning="The request cannot be read.",
        code=ErrorCode.INVALID,
        detail="the request cannot be read: There was an error parsing the body",
    ),
    Refusal(
        status=401,
        name="Unauthenticated",
        meaning="There is no good token.",
        code=ErrorCode.UNAUTHENTICATED,
        detail="the token has expired; get a new one from its issuer",
        headers=("WWW-Authenticate",),
    ),
    Refusal(
        status=403,
        name="BuiltIn",
        meaning="It is built in, and nobody changes it here.",
        code=ErrorCode.WRONG_OWNER,
        detail="agent assistant is built in, and nobody changes it here; make one of your own",
    ),
    Refusal(
        status=404,
        name="NotFound",
        meaning="There is none that you may see: it never was, was erased, or is another user's.",
        code=ErrorCode.NOT_FOUND,
        detail="there is no session 0197a3c4-5b1e-7c7a-9a51-3f0f6f1c2d3e that you may see; check the id",
    ),
    Refusal(
        status=408,
        name="TooSlow",
        meaning="The body did not arrive in time.",
        code=ErrorCode.DEADLINE,
        detail="the body did not arrive within 30 s; send it again",
    ),
    Refusal(
        status=409,
        name="Conflict",
        meaning="It takes no message now: the session is busy or put away, or the agent takes no runs.",
        code=ErrorCode.BUSY,
        detail="the session works on another message; wait for its run, or cancel it",
        members=MappingProxyType(
            {
                "run_id": "0197a3c4-5b1e-7c7a-9a51-3f0f6f1c2d40",
                "session_id": "0197a3c4-5b1e-7c7a-9a51-3f0f6f1c2d3e",
                "running_run_id": _RUN,
            }
        ),
    ),
    Refusal(
        status=413,
        name="TooLarge",
        meaning="The body, the message or the configuration is too large.",
        code=ErrorCode.TOO_LARGE,
        detail="the message has 600000 bytes, 524288 are allowed; send less, or send it in parts",
    ),
    Refusal(
        status=422,
        name="Invalid",
        meaning="The request does not fit.",
        code=ErrorCode.INVALID,
        detail="the request does not fit; `errors` says what to change, /openapi.json what is expected",
        members=MappingProxyType(
            {"errors": [{"at": "query.page", "reason": "Input should be greater than or equal to 1"}]}
        ),
    ),
    Refusal(
        status=429,
        name="TooMany",
        meaning="Too many requests in a window, or too many runs under way.",
        code=ErrorCode.RATE_LIMITED,
        detail="at most 600 calls in 60 s; come again later",
        headers=("Retry-After",),
    ),
    Refusal(
        status=431,
        name="HeadersTooLarge",
        meaning="Path and headers are too long together.",
        code=ErrorCode.TOO_LARGE,
        detail="path and headers may have 16384 bytes together; send less",
    ),
    Refusal(
        status=500,
        name="Fault",
        meaning="Something went wrong here.",
        code=ErrorCode.UNKNOWN,
        detail="something went wrong here; try again, and name the request's id to who runs this if it stays",
    ),
    Refusal(
        status=503,
        name="Unavailable",
        meaning="A service behind the edge is away, the record is behind, or the process ends.",
        code=ErrorCode.UNAVAILABLE,
        detail="a service behind this one does not answer; try again in a moment",
        headers=("Retry-After",),
    ),
)

REFUSALS: Final[Mapping[int, Refusal]] = MappingProxyType({each.status: each for each in _ALL})
"""By status, in their order."""
