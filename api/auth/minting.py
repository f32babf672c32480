"""Makes tokens on a developer's machine; elsewhere the issuer of your users' tokens does."""

from datetime import datetime, timedelta

import jwt

from api.settings import ApiSettings
from schemas.errors import FatalError


def mint(settings: ApiSettings, user_id: str, *, now: datetime, lives: timedelta) -> str:
    """Return a token that names the user, taken by an API with these settings until `now` + `lives`.

    Raises:
        FatalError: these are not settings of `maestro dev`, or their keys are somebody else's.

    """
    if not settings.dev:
        message = (
            "tokens are made here on a developer's machine only: start `maestro dev`, or let the issuer that"
            " MAESTRO_API_JWT_ISSUER names make them"
        )
        raise FatalError(message)
    if settings.jwt_secret is None:
        message = (
            "MAESTRO_API_JWT_SECRET is not set: tokens can be made with a secret only, and the private keys"
            " of a key set are its issuer's"
        )
        raise FatalError(message)
    claims: dict[str, object] = {settings.jwt_subject_claim: user_id, "iat": now, "exp": now + lives}
    if settings.jwt_issuer is not None:
        claims["iss"] = settings.jwt_issuer
    if settings.jwt_audience is not None:
        claims["aud"] = settings.jwt_audience
    return jwt.encode(claims, settings.jwt_secret.get_secret_value(), algorithm=settings.algorithms[0])
