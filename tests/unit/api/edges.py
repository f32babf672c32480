"""An edge for tests of the frame: real settings and tokens, a fake of what counts calls."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
from fastapi import FastAPI

from api.app import create_app
from api.auth.keys import Secret
from api.auth.minting import mint
from api.auth.tokens import Tokens
from api.edge import Edge
from api.settings import ApiSettings
from schemas.errors import TransientError
from stores.redis.edge import Arrived, Spent
from telemetry.health import Health, Verdict

SECRET = "a secret for tests, at least as long as 64 bytes: and so it is here, as one can see"


class Spending:
    """Counts calls in memory like the store does in Redis; `is_away` makes it fail."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self.is_away = False

    async def arrive(self, user_id: str, *, limit: int, window_s: int) -> Arrived:
        if self.is_away:
            message = "Redis is away"
            raise TransientError(message)
        count = self.calls.get(user_id, 0) + 1 if limit else 0
        if limit:
            self.calls[user_id] = count
        spent = Spent(allowed=count <= limit, left=max(0, limit - count), retry_after_s=window_s)
        return Arrived(spent=spent, erased=frozenset(), agents={}, writes=())


def settings(**values: Any) -> ApiSettings:
    """Settings of a developer's machine, with some changed."""
    return ApiSettings.model_validate({"dev": True, "jwt_secret": SECRET, **values})


def edge_with(chosen: ApiSettings, *, tokens: Tokens | None = None, redis: Any = None) -> Edge:
    """An edge that has what the frame needs, and no stores."""
    secret = chosen.jwt_secret
    assert tokens is not None or secret is not None
    keys = Secret(secret.get_secret_value().encode() if secret is not None else b"")
    health = Health()
    health.beat(Verdict(True))
    nothing = cast("Any", None)
    return Edge(
        settings=chosen,
        tokens=tokens or Tokens(chosen, keys),
        web=nothing,
        database=nothing,
        redis=cast("Any", redis or Spending()),
        feed=nothing,
        publisher=nothing,
        agents=nothing,
        codec=nothing,
        names=nothing,
        partitions=12,
        reader=nothing,
        live=nothing,
        health=health,
    )


def app_with(**values: Any) -> FastAPI:
    """The application with some settings changed."""
    return create_app(edge_with(settings(**values)))


def client_of(app: FastAPI) -> httpx.AsyncClient:
    """A client that calls the application in this process."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url="http://maestro.test")


def token_of(chosen: ApiSettings, user_id: str = "ada", *, lives_s: float = 60.0) -> str:
    """A good token of a user."""
    return mint(chosen, user_id, now=datetime.now(UTC), lives=timedelta(seconds=lives_s))


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}
