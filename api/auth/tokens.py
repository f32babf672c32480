"""Verifies bearer tokens (JSON Web Tokens) as RFC 8725 asks."""

from base64 import urlsafe_b64decode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

import httpx
import jwt

from api.auth.claims import Caller, RefusedTokenError, caller_of, check_header, strict_json
from api.auth.keys import Keys, KeySet, Secret
from api.problems import Problem
from api.settings import ApiSettings
from schemas.errors import ErrorCode
from telemetry.logs import logger

_PARTS: Final = 3
_log = logger(__name__)


class Tokens:
    """Tells from a token who calls."""

    def __init__(self, settings: ApiSettings, keys: Keys) -> None:
        self._settings = settings
        self._keys = keys
        self._verifier = jwt.PyJWT(
            {
                "require": ["exp"],
                "enforce_minimum_key_length": True,
                "verify_aud": settings.jwt_audience is not None,
                "verify_iss": settings.jwt_issuer is not None,
                # The subject is a claim of our choice, checked by ourselves.
                "verify_sub": False,
            }
        )

    async def verify(self, token: str) -> Caller:
        """Return whom the token names.

        Raises:
            Problem: 401; it is not taken. Why is in our log alone.
            TransientError: the keys of the issuer were never fetched, and cannot be now.

        """
        try:
            return await self._verified(token)
        except RefusedTokenError as error:
            _log.info("token_refused", reason=error.reason)
            raise unauthenticated(had_token=True) from None

    async def _verified(self, token: str) -> Caller:
        settings = self._settings
        header, claims = _parts(token, max_chars=settings.jwt_max_chars)
        check_header(header, algorithms=settings.algorithms, types=settings.jwt_types)
        key = await self._keys.key_of(header)
        try:
            _ = self._verifier.decode(
                token,
                key,
                algorithms=[header["alg"]],  # one of ours: checked above
                audience=settings.jwt_audience,
                issuer=settings.jwt_issuer,
                leeway=settings.jwt_leeway_s,
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise RefusedTokenError(type(error).__name__) from error
        return caller_of(strict_json(_decoded(claims)), subject_claim=settings.jwt_subject_claim)


def unauthenticated(*, had_token: bool) -> Problem:
    """Return the answer to a call without a good token: the same whatever is wrong with it."""
    challenge = 'Bearer realm="maestro"' + (', error="invalid_token"' if had_token else "")
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        ErrorCode.UNAUTHENTICATED,
        "send a valid token of your own in the header `Authorization: Bearer …`",
        headers={"WWW-Authenticate": challenge},
    )


@asynccontextmanager
async def open_tokens(settings: ApiSettings) -> AsyncGenerator[Tokens]:
    """Open what verifies tokens by the settings, which lack nothing (see `ApiSettings.missing`)."""
    if settings.jwt_secret is not None:
        yield Tokens(settings, Secret(settings.jwt_secret.get_secret_value().encode()))
        return
    async with httpx.AsyncClient(follow_redirects=False, timeout=settings.jwks_timeout_s) as client:
        yield Tokens(settings, _key_set(settings, client))


def _key_set(settings: ApiSettings, client: httpx.AsyncClient) -> KeySet:
    return KeySet(
        client,
        settings.jwks_url or "",
        algorithms=settings.algorithms,
        keep_s=settings.jwks_keep_s,
        refresh_every_s=settings.jwks_refresh_every_s,
        timeout_s=settings.jwks_timeout_s,
        max_bytes=settings.jwks_max_bytes,
    )


def _parts(token: str, *, max_chars: int) -> tuple[dict[str, Any], str]:
    """Return the header of a token and its claims, still encoded; the signature is not looked at."""
    if len(token) > max_chars:
        reason = "the token is too long"
        raise RefusedTokenError(reason)
    parts = token.split(".")
    if len(parts) != _PARTS or not all(parts):
        reason = "the token has not three parts"
        raise RefusedTokenError(reason)
    return strict_json(_decoded(parts[0])), parts[1]


def _decoded(part: str) -> bytes:
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as error:
        reason = "a part is not base64"
        raise RefusedTokenError(reason) from error
