"""Settings of the edge: nothing secret has a default, and what contradicts itself is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from api.settings import ApiSettings

SECRET = "s" * 32
KEYS = "https://issuer.test/keys"
COMPLETE = {"jwt_secret": SECRET, "jwt_issuer": "https://issuer.test", "jwt_audience": "maestro"}


def made(**values: Any) -> ApiSettings:
    return ApiSettings.model_validate(values)


def test_nothing_secret_has_a_default_and_all_that_is_missing_is_named() -> None:
    missing = made().missing()
    assert [sentence.partition(":")[0] for sentence in missing] == [
        "MAESTRO_API_JWT_SECRET or MAESTRO_API_JWKS_URL",
        "MAESTRO_API_JWT_ISSUER",
        "MAESTRO_API_JWT_AUDIENCE",
    ]
    assert made(**COMPLETE).missing() == ()


def test_a_developers_machine_needs_no_issuer_but_a_key() -> None:
    assert len(made(dev=True).missing()) == 1
    assert made(dev=True, jwt_secret=SECRET).missing() == ()


@pytest.mark.parametrize(
    ("values", "algorithms"),
    [
        ({"jwt_secret": SECRET}, ("HS256",)),
        ({"jwks_url": KEYS}, ("RS256",)),
        ({"jwks_url": KEYS, "jwt_algorithms": "ES256, EdDSA"}, ("ES256", "EdDSA")),
        ({"jwt_secret": SECRET * 2, "jwt_algorithms": "HS512"}, ("HS512",)),
    ],
)
def test_the_algorithms_follow_the_kind_of_key(values: dict[str, Any], algorithms: tuple[str, ...]) -> None:
    assert made(**values).algorithms == algorithms


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"jwt_secret": "s" * 31}, "at least 32 bytes"),
        ({"jwt_secret": SECRET, "jwt_algorithms": "HS512"}, "at least 64 bytes"),
        ({"jwt_secret": SECRET, "jwks_url": KEYS}, "exclude each other"),
        ({"jwt_secret": SECRET, "jwt_algorithms": "HS256,RS256"}, "exclude each other"),
        ({"jwt_secret": SECRET, "jwt_algorithms": "RS256"}, "only HS*"),
        ({"jwks_url": KEYS, "jwt_algorithms": "HS256"}, "not a key set"),
        ({"jwt_secret": SECRET, "jwt_algorithms": "none"}, "jwt_algorithms"),
        ({"jwks_url": "http://issuer.test/keys"}, "https://"),
        ({"jwks_url": "http://localhost.evil.test/keys"}, "https://"),
        ({"cors_origins": "*"}, "origin"),
        ({"cors_origins": "https://app.example.org/"}, "origin"),
        ({"default_sessions_per_page": 60}, "MAX_SESSIONS_PER_PAGE"),
    ],
)
def test_what_contradicts_itself_is_refused(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named.replace("*", r"\*")) as refused:
        made(**values)
    assert SECRET not in str(refused.value.errors(include_input=False, include_context=False))


def test_the_names_that_the_pages_have_are_without_a_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_SESSIONS_PER_PAGE", "30")
    monkeypatch.setenv("DEFAULT_MESSAGES_PER_PAGE", "7")
    settings = ApiSettings()
    assert (settings.max_sessions_per_page, settings.default_messages_per_page) == (30, 7)
