"""Bearer tokens: the good ones name their user, and every attack gets the same 401."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from api.app import create_app
from api.auth.claims import RefusedTokenError
from api.auth.tokens import Tokens
from api.edge import Edge
from tests.unit.api.edges import SECRET, bearer, client_of, edge_with, settings

ISSUER, AUDIENCE = "https://issuer.test", "maestro"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KID = "key-1"
PATH = "/nothing-here"
"""A path behind the guards: who is let in gets 404."""


def claims(**changed: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    good = {"sub": "ada", "iss": ISSUER, "aud": AUDIENCE, "exp": now + timedelta(minutes=5), "iat": now}
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def signed(
    headers: dict[str, Any] | None = None, *, key: Any = SECRET, alg: str = "HS256", **changed: Any
) -> str:
    return jwt.encode(claims(**changed), key, algorithm=alg, headers=headers)


def by_hand(header: str, body: str, *, key: str = SECRET) -> str:
    """A token of exactly these texts, with a good signature."""
    parts = ".".join(_text(part.encode()) for part in (header, body))
    signature = jwt.get_algorithm_by_name("HS256").sign(parts.encode(), key.encode())
    return f"{parts}.{_text(signature)}"


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


class Published:
    """A key set with one RSA key, as the issuer publishes it."""

    async def key_of(self, header: Mapping[str, Any]) -> Any:
        if header.get("kid") != KID:
            reason = "the key id is unknown"
            raise RefusedTokenError(reason)
        return jwt.PyJWK(_jwk(), "RS256")


def _jwk() -> dict[str, Any]:
    text = RSAAlgorithm.to_jwk(RSA_KEY.public_key())
    return {**json.loads(text), "kid": KID, "use": "sig", "alg": "RS256"}


def hmac_edge() -> Edge:
    return edge_with(settings(dev=False, jwt_issuer=ISSUER, jwt_audience=AUDIENCE))


def rsa_edge() -> Edge:
    chosen = settings(
        dev=False,
        jwt_secret=None,
        jwks_url="https://issuer.test/keys",
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
    )
    return edge_with(chosen, tokens=Tokens(chosen, Published()))


def _confused() -> str:
    """The public key, used as the secret of an HMAC: by hand, the library refuses to make it."""
    public = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = _text(json.dumps({"alg": "HS256", "typ": "JWT", "kid": KID}).encode())
    signature = hmac.digest(public, f"{head}.{_text(GOOD.encode())}".encode(), "sha256")
    return f"{head}.{_text(GOOD.encode())}.{_text(signature)}"


def _unsigned() -> str:
    return jwt.encode(claims(), "", algorithm="none")


def _without_signature() -> str:
    return signed().rpartition(".")[0] + "."


def _seconds_from_now(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


TWICE = '{"sub":"eve","sub":"ada","iss":"https://issuer.test","aud":"maestro","exp":4000000000}'
GOOD = '{"sub":"ada","iss":"https://issuer.test","aud":"maestro","exp":4000000000}'
HEAD = '{"alg":"HS256","typ":"JWT"}'

ATTACKS: dict[str, Callable[[], str]] = {
    "alg none": _unsigned,
    "alg none in capitals": lambda: by_hand('{"alg":"NONE","typ":"JWT"}', GOOD),
    "alg not ours": lambda: signed(alg="HS512"),
    "no alg": lambda: by_hand('{"typ":"JWT"}', GOOD),
    "alg is a list": lambda: by_hand('{"alg":["HS256"],"typ":"JWT"}', GOOD),
    "another secret": lambda: signed(
        key="another secret that is as long as the good one is: 64 bytes or more"
    ),
    "empty signature": _without_signature,
    "signature of another token": lambda: (
        signed().rpartition(".")[0] + "." + signed(sub="eve").rpartition(".")[2]
    ),
    "claims exchanged": lambda: ".".join(
        (signed().split(".")[0], _text(GOOD.encode()), signed().split(".")[2])
    ),
    "wrong audience": lambda: signed(aud="somebody-else"),
    "no audience": lambda: signed(aud=None),
    "wrong issuer": lambda: signed(iss="https://evil.test"),
    "no issuer": lambda: signed(iss=None),
    "issuer is a list": lambda: by_hand(
        HEAD, GOOD.replace('"https://issuer.test"', '["https://issuer.test"]')
    ),
    "expired": lambda: signed(exp=_seconds_from_now(-60)),
    "never expires": lambda: signed(exp=None),
    "expiry is no number": lambda: by_hand(HEAD, GOOD.replace("4000000000", '"later"')),
    "expiry is infinite": lambda: by_hand(HEAD, GOOD.replace("4000000000", "Infinity")),
    "expiry is huge": lambda: by_hand(HEAD, GOOD.replace("4000000000", "1e999")),
    "not yet valid": lambda: signed(nbf=_seconds_from_now(60)),
    "issued in the future": lambda: signed(iat=_seconds_from_now(60)),
    "claims twice": lambda: by_hand(HEAD, TWICE),
    "header twice": lambda: by_hand('{"alg":"none","alg":"HS256","typ":"JWT"}', GOOD),
    "oversize": lambda: signed(note="x" * 10_000),
    "key in the header": lambda: signed({"jwk": _jwk()}),
    "key set in the header": lambda: signed({"jku": "https://evil.test/keys"}),
    "certificate's place in the header": lambda: signed({"x5u": "https://evil.test/cert"}),
    "certificate in the header": lambda: signed({"x5c": ["MIIB"]}),
    "critical extension": lambda: by_hand('{"alg":"HS256","typ":"JWT","crit":["b64"],"b64":true}', GOOD),
    "wrong type": lambda: signed({"typ": "secevent+jwt"}),
    "type is a number": lambda: by_hand('{"alg":"HS256","typ":7}', GOOD),
    "no subject": lambda: signed(sub=None),
    "empty subject": lambda: by_hand(HEAD, GOOD.replace('"ada"', '""')),
    "long subject": lambda: by_hand(HEAD, GOOD.replace('"ada"', f'"{"a" * 201}"')),
    "subject is a number": lambda: by_hand(HEAD, GOOD.replace('"ada"', "7")),
    "subject with a zero": lambda: by_hand(HEAD, GOOD.replace('"ada"', '"ada\\u0000"')),
    "claims are a list": lambda: by_hand(HEAD, "[1]"),
    "claims are no JSON": lambda: by_hand(HEAD, "{"),
    "claims as deep as a mine": lambda: by_hand(HEAD, "[" * 3_000),
    "two parts": lambda: signed().rpartition(".")[0],
    "five parts": lambda: signed() + ".x.y",
    "no base64": lambda: "ä.ö.ü",
    "padding": lambda: signed().replace(".", "=.", 1),
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_is_refused_and_not_told_why(name: str) -> None:
    async with client_of(create_app(hmac_edge())) as client:
        attack = await client.get(PATH, headers={b"Authorization": b"Bearer " + ATTACKS[name]().encode()})
        nonsense = await client.get(PATH, headers=bearer("nonsense"))

    assert attack.status_code == 401
    assert attack.headers["content-type"] == "application/problem+json"
    assert attack.headers["www-authenticate"] == 'Bearer realm="maestro", error="invalid_token"'
    assert attack.json() == nonsense.json()
    assert attack.json()["code"] == "unauthenticated"


PUBLIC_KEY_ATTACKS: dict[str, Callable[[], str]] = {
    "the public key as a secret": _confused,
    "an unknown key id": lambda: signed({"kid": "key-2"}, key=RSA_KEY, alg="RS256"),
    "no key id": lambda: signed(key=RSA_KEY, alg="RS256"),
    "a key id that is a path": lambda: signed({"kid": "../../key-1"}, key=RSA_KEY, alg="RS256"),
    "another key under the known id": lambda: signed({"kid": KID}, key=OTHER_RSA_KEY, alg="RS256"),
    "another algorithm of the same key": lambda: signed({"kid": KID}, key=RSA_KEY, alg="PS256"),
    "another kind of key": lambda: signed(
        {"kid": KID}, key=ec.generate_private_key(ec.SECP256R1()), alg="ES256"
    ),
    "no signature": lambda: signed({"kid": KID}, key=RSA_KEY, alg="RS256").rpartition(".")[0] + ".",
}


@pytest.mark.parametrize("name", PUBLIC_KEY_ATTACKS)
async def test_an_attack_on_public_keys_is_refused(name: str) -> None:
    async with client_of(create_app(rsa_edge())) as client:
        answer = await client.get(PATH, headers=bearer(PUBLIC_KEY_ATTACKS[name]()))

    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthenticated"


@pytest.mark.parametrize("edge", [hmac_edge, rsa_edge])
async def test_a_good_token_is_let_in(edge: Callable[[], Edge]) -> None:
    good = signed() if edge is hmac_edge else signed({"kid": KID}, key=RSA_KEY, alg="RS256")
    async with client_of(create_app(edge())) as client:
        assert (await client.get(PATH, headers=bearer(good))).status_code == 404


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": _seconds_from_now(-5)},
        {"nbf": _seconds_from_now(60)},
        {"aud": ["somebody-else", AUDIENCE]},
        {"sub": "ä" * 200},
    ],
    ids=["expired within the leeway", "valid within the leeway", "one audience of two", "a long name"],
)
async def test_a_token_at_the_edge_of_what_is_good_is_taken(changed: dict[str, Any]) -> None:
    edge = edge_with(settings(jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_leeway_s=300))
    caller = await edge.tokens.verify(signed(**changed))
    assert caller.user_id == changed.get("sub", "ada")


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt", None])
async def test_the_usual_types_are_taken(kind: str | None) -> None:
    caller = await hmac_edge().tokens.verify(signed({"typ": kind}))
    assert caller.user_id == "ada"


async def test_the_user_may_be_named_by_another_claim() -> None:
    edge = edge_with(settings(jwt_subject_claim="email"))
    caller = await edge.tokens.verify(signed(email="ada@example.org", sub="7"))
    assert caller.user_id == "ada@example.org"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Basic YWRhOmFkYQ==")],
        [("Authorization", "Bearer")],
        [("Authorization", f"Bearer {signed()}"), ("Authorization", f"Bearer {signed(sub='eve')}")],
    ],
    ids=["none", "another scheme", "no token", "two tokens"],
)
async def test_without_one_token_nobody_is_let_in(headers: list[tuple[str, str]]) -> None:
    async with client_of(create_app(hmac_edge())) as client:
        answer = await client.get(PATH, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
