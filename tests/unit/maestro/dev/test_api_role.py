"""The API of a dev: keys and ports that stay, and tokens that its processes take."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from api.auth.minting import mint
from api.settings import ApiSettings
from maestro.dev import api_role
from maestro.embedded.folder import DataFolder
from schemas.errors import FatalError

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OWN = "a secret of the dev's own, made at random and long enough for all of them"
SET = "a secret that the person has set, which stays in force"


def made(**values: object) -> ApiSettings:
    return ApiSettings.model_validate(values)


def test_a_dev_without_keys_gets_its_own_and_makes_tokens_with_it() -> None:
    values = api_role.environment(made(), secret=OWN, port=8123)
    settings = api_role.reached(made(), {**values, "REDIS_URL": "redis://elsewhere"})
    token = api_role.ready_made(settings, "ada", now=NOW)
    assert settings.missing() == ()
    assert settings.public_url == "http://127.0.0.1:8123"
    assert token is not None
    claims = jwt.decode(token, OWN, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False})
    assert (claims["sub"], claims["exp"] - claims["iat"]) == ("ada", 24 * 3600)


def test_keys_that_are_set_stay_in_force() -> None:
    mine = made(jwt_secret=SET, jwt_issuer="me", jwt_audience="us")
    settings = api_role.reached(mine, api_role.environment(mine, secret=OWN, port=1))
    token = api_role.ready_made(settings, "ada", now=NOW) or ""
    claims = jwt.decode(token, SET, ["HS256"], {"verify_exp": False, "verify_iat": False}, audience="us")
    assert claims["iss"] == "me"


def test_of_an_issuers_keys_no_token_can_be_made() -> None:
    theirs = made(jwks_url="https://issuer.test/keys")
    values = api_role.environment(theirs, secret=OWN, port=1)
    assert "MAESTRO_API_JWT_SECRET" not in values
    assert api_role.ready_made(api_role.reached(theirs, values), "ada", now=NOW) is None


def test_no_token_is_made_outside_dev() -> None:
    with pytest.raises(FatalError, match="developer's machine only"):
        mint(made(jwt_secret=SET), "ada", now=NOW, lives=timedelta(hours=1))
    with pytest.raises(FatalError, match="MAESTRO_API_JWT_SECRET is not set"):
        mint(made(dev=True), "ada", now=NOW, lives=timedelta(hours=1))


def test_ports_and_secret_stay_over_starts_and_are_for_the_owner_alone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    secret = folder.secret(api_role.SECRET, size=api_role.SECRET_BYTES)
    found: list[dict[str, int]] = []
    for _ in range(2):
        ports = api_role.ApiPorts(folder)
        found.append(ports.take(("api-1", "api-2"), wished=31_999))
        ports.release()
    assert found[0] == found[1]
    assert len(set(found[0].values())) == 2
    assert folder.secret(api_role.SECRET) == secret
    assert len(secret.encode()) >= 64
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600
