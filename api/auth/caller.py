"""Who calls, for routes: `CallerIs` as the type of a parameter asks for a good token."""

from typing import Annotated, Final

from fastapi import Depends, Request

from api.auth.claims import Caller
from api.auth.tokens import Tokens, unauthenticated

__all__ = ["Caller", "CallerIs", "caller", "caller_by"]

_SCHEME: Final = "bearer"


async def caller_by(authorization: list[str], tokens: Tokens) -> Caller:
    """Return who calls, by the values of the headers `Authorization`.

    Raises:
        Problem: 401; there is no good token, or more than one.
        TransientError: it cannot be known now.

    """
    if len(authorization) != 1:
        raise unauthenticated(had_token=len(authorization) > 1)
    scheme, _, token = authorization[0].partition(" ")
    if scheme.lower() != _SCHEME or not token.strip():
        raise unauthenticated(had_token=False)
    return await tokens.verify(token.strip())


async def caller(request: Request) -> Caller:
    """Return who calls.

    The guards have found it out already (see api/guards.py); a route that is served without them asks itself.

    Raises:
        Problem: 401; there is no good token.

    """
    known: Caller | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    return await caller_by(request.headers.getlist("authorization"), request.app.state.edge.tokens)


CallerIs = Annotated[Caller, Depends(caller)]
