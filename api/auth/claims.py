"""What a token says, checked: pure, after its signature was. Follows RFC 7519 and RFC 8725."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from schemas.fields import Name

_NAME: TypeAdapter[str] = TypeAdapter(Name)

_FORBIDDEN_HEADERS = ("crit", "jwk", "jku", "x5u", "x5c")
"""What asks us to understand more than we do, or brings a key along: a key is ours to choose."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls."""

    user_id: str


class RefusedTokenError(Exception):
    """The token is not taken. The reason is for our log, never for the caller."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def strict_json(data: bytes) -> dict[str, Any]:
    """Return a JSON object whose names are all different.

    Of two claims with one name one reader takes the first, another the last: both are refused.

    Raises:
        RefusedTokenError: it is none.

    """
    try:
        value: object = json.loads(data, object_pairs_hook=_distinct, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = "a part is not JSON with distinct names"
        raise RefusedTokenError(reason) from error
    if not isinstance(value, dict):
        reason = "a part is not an object"
        raise RefusedTokenError(reason)
    return cast("dict[str, Any]", value)


def check_header(header: Mapping[str, Any], *, algorithms: Sequence[str], types: Sequence[str]) -> None:
    """Check the header of a token before any key is looked up.

    Raises:
        RefusedTokenError: it asks for what we do not take.

    """
    if header.get("alg") not in algorithms:
        reason = "the algorithm is not one of ours"
        raise RefusedTokenError(reason)
    for name in _FORBIDDEN_HEADERS:
        if name in header:
            reason = f"the header has {name}"
            raise RefusedTokenError(reason)
    kind = header.get("typ")
    if kind is not None and not _is_type(kind, types):
        reason = "the type is not one of ours"
        raise RefusedTokenError(reason)


def caller_of(claims: Mapping[str, Any], *, subject_claim: str) -> Caller:
    """Return whom the claims name.

    Raises:
        RefusedTokenError: nobody, or not by a text of 1 to 200 characters.

    """
    subject = claims.get(subject_claim)
    try:
        user_id = _NAME.validate_python(subject, strict=True)
    except ValidationError as error:
        reason = "the subject is not a name"
        raise RefusedTokenError(reason) from error
    if user_id != subject:
        reason = "the subject has a character that no name may have"
        raise RefusedTokenError(reason)
    return Caller(user_id)


def _is_type(kind: object, types: Sequence[str]) -> bool:
    # RFC 7515, section 4.1.9: without regard to case, and `application/` may be left out.
    if not isinstance(kind, str):
        return False
    return kind.lower().removeprefix("application/") in {each.lower() for each in types}


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        message = "a name stands twice"
        raise ValueError(message)
    return found


def _no_constant(name: str) -> object:
    message = f"{name} is not JSON"
    raise ValueError(message)
