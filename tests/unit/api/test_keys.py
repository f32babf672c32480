"""The issuer's key set: fetched seldom, whoever asks, and kept while the issuer is away."""

import json
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from api.auth.claims import RefusedTokenError
from api.auth.keys import KeySet, public_keys
from schemas.errors import TransientError

RSA_KEY = json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key()))
EC_KEY = json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key()))
ED_KEY = json.loads(OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate().public_key()))
URL = "https://issuer.test/keys"


class Issuer:
    """Publishes keys over HTTP, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer = httpx.Response(200, json=listed({"kid": "one", **RSA_KEY}))

    def __call__(self, _request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return httpx.Response(
            self.answer.status_code, content=self.answer.content, headers=self.answer.headers
        )


class World:
    """A key set that asks the issuer, on a clock of its own."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.issuer = Issuer()
        client = httpx.AsyncClient(transport=httpx.MockTransport(self.issuer))
        self.keys = KeySet(
            client,
            URL,
            algorithms=("RS256", "ES256"),
            keep_s=300,
            refresh_every_s=30,
            timeout_s=5,
            max_bytes=4_000,
            now=lambda: self.now_s,
        )

    async def find(self, kid: str | None, alg: str = "RS256") -> Any:
        return await self.keys.key_of({"alg": alg} if kid is None else {"alg": alg, "kid": kid})


def listed(*keys: dict[str, Any]) -> dict[str, Any]:
    return {"keys": list(keys)}


async def test_a_key_is_fetched_once_and_then_known() -> None:
    world = World()
    assert (await world.find("one")).key_id == "one"
    assert (await world.find("one")).key_id == "one"
    assert (await world.find(None)).key_id == "one"
    assert world.issuer.asked == 1


async def test_unknown_ids_cost_the_issuer_one_question_in_a_while() -> None:
    world = World()
    _ = await world.find("one")
    world.now_s += 31
    for number in range(50):
        with pytest.raises(RefusedTokenError):
            await world.find(f"made-up-{number}")
    assert world.issuer.asked == 2


async def test_a_new_key_is_found_at_the_next_question() -> None:
    world = World()
    _ = await world.find("one")
    world.issuer.answer = httpx.Response(200, json=listed({"kid": "two", **RSA_KEY}))
    world.now_s += 31
    assert (await world.find("two")).key_id == "two"
    with pytest.raises(RefusedTokenError):
        await world.find("one")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(302, headers={"Location": "https://evil.test/keys"}),
        httpx.Response(200, content=b"x" * 5_000),
        httpx.Response(200, content=b"no JSON"),
        httpx.Response(200, json={"keys": []}),
        httpx.Response(200, json=["keys"]),
    ],
    ids=["broken", "elsewhere", "too large", "no JSON", "empty", "no set"],
)
async def test_what_is_no_key_set_changes_nothing(answer: httpx.Response) -> None:
    world = World()
    _ = await world.find("one")
    world.issuer.answer = answer
    world.now_s += 1_000
    assert (await world.find("one")).key_id == "one"
    assert world.issuer.asked == 2


async def test_without_a_first_key_set_nobody_can_be_known() -> None:
    world = World()
    world.issuer.answer = httpx.Response(503)
    for _ in range(3):
        with pytest.raises(TransientError):
            await world.find("one")
    assert world.issuer.asked == 1


@pytest.mark.parametrize("kid", [7, ["one"], {"a": 1}])
async def test_a_key_id_is_a_text(kid: Any) -> None:
    with pytest.raises(RefusedTokenError):
        await World().find(kid)


def test_a_key_proves_by_its_own_algorithm_only() -> None:
    text = json.dumps(
        listed(
            {"kid": "rsa", **RSA_KEY},
            {"kid": "rsa-512", "alg": "RS512", **RSA_KEY},
            {"kid": "ec", **EC_KEY},
            {"kid": "ed", **ED_KEY},
            {"kid": "to-encrypt", "use": "enc", **RSA_KEY},
            {"kid": "secret", "kty": "oct", "k": "c2VjcmV0"},
            {"kid": "broken", "kty": "RSA", "n": "AQ"},
            {"kid": "private", **RSA_KEY, "d": "AQAB"},
        )
    ).encode()
    assert set(public_keys(text, ("RS256", "PS256", "ES256", "ES384", "EdDSA"))) == {
        ("rsa", "RS256"),
        ("rsa", "PS256"),
        ("ec", "ES256"),
        ("ed", "EdDSA"),
    }
