"""The keys that prove a token: one secret, or the issuer's key set, fetched now and then."""

import asyncio
import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol, cast

import httpx
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from api.auth.claims import RefusedTokenError
from schemas.errors import TransientError
from telemetry.logs import logger

PublicKeys = dict[tuple[str, str], PyJWK]
"""Keys by their ids and the algorithm that each proves."""

_MOST_KEYS = 100
"""Keys of one set that are looked at."""

_KIND_OF: Mapping[str, tuple[str, str | None]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Key type and curve of each algorithm: a key proves nothing by an algorithm that is not its own."""

_log = logger(__name__)


class Keys(Protocol):
    """Finds the key for a token."""

    async def key_of(self, header: Mapping[str, Any]) -> Any:
        """Return the key that the header of a token names.

        Raises:
            RefusedTokenError: there is none.
            TransientError: that cannot be known now.

        """
        ...


class Secret:
    """One secret for all tokens, whatever their headers say."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    async def key_of(self, header: Mapping[str, Any]) -> Any:
        """Return the secret."""
        del header
        return self._secret


class KeySet:
    """The public keys of an issuer. Fetched when first needed, when old, and for an unknown id.

    However many tokens name unknown ids, there is one fetch at a time and none too soon after the last.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        *,
        algorithms: Collection[str],
        keep_s: float,
        refresh_every_s: float,
        timeout_s: float,
        max_bytes: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Fetch from `url` by `client`, which follows no redirections; `now` is a monotonic clock."""
        self._client = client
        self._url = url
        self._algorithms = algorithms
        self._keep_s = keep_s
        self._refresh_every_s = refresh_every_s
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._now = now
        self._keys: PublicKeys = {}
        self._fetched_s: float | None = None
        self._tried_s: float | None = None
        self._fetching = asyncio.Lock()

    async def key_of(self, header: Mapping[str, Any]) -> Any:
        """Return the key of the header's `kid` for its `alg`; without a `kid`, the only one there is.

        Raises:
            RefusedTokenError: the set does not have it.
            TransientError: the set was never fetched, and cannot be now.

        """
        identity, algorithm = header.get("kid"), header.get("alg")
        if not isinstance(identity, str | None) or not isinstance(algorithm, str):
            reason = "the key id or the algorithm is not a text"
            raise RefusedTokenError(reason)
        if self._is_old() or found_key(self._keys, identity, algorithm) is None:
            await self._refresh(identity, algorithm)
        key = found_key(self._keys, identity, algorithm)
        if key is not None:
            return key
        if self._fetched_s is None:
            message = "the keys of the tokens' issuer cannot be fetched"
            raise TransientError(message)
        reason = "the issuer has no such key for this algorithm"
        raise RefusedTokenError(reason)

    def _is_old(self) -> bool:
        return self._fetched_s is None or self._now() - self._fetched_s > self._keep_s

    async def _refresh(self, identity: str | None, algorithm: str) -> None:
        async with self._fetching:
            if not self._is_old() and found_key(self._keys, identity, algorithm) is not None:
                return  # who had the lock before has fetched it
            now_s = self._now()
            if self._tried_s is not None and now_s - self._tried_s < self._refresh_every_s:
                return
            self._tried_s = now_s
            try:
                async with asyncio.timeout(self._timeout_s):
                    keys = public_keys(await self._fetch(), self._algorithms)
            except (httpx.HTTPError, ValueError, RecursionError, TimeoutError) as error:
                # The keys of before stay in force: an issuer that is away shall not lock everybody out.
                _log.warning("key_set_not_fetched", kind=type(error).__name__)
                return
            self._keys, self._fetched_s = keys, self._now()

    async def _fetch(self) -> bytes:
        async with self._client.stream("GET", self._url, headers={"Accept": "application/json"}) as answer:
            _ = answer.raise_for_status()
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > self._max_bytes:
                    message = f"the key set is larger than {self._max_bytes} bytes"
                    raise ValueError(message)
        return bytes(body)


def found_key(keys: PublicKeys, identity: str | None, algorithm: str) -> PyJWK | None:
    """Return the key of an id for an algorithm; of no id, the only key that there is for the algorithm."""
    if identity is not None:
        return keys.get((identity, algorithm))
    fitting = [key for (_, name), key in keys.items() if name == algorithm]
    return fitting[0] if len(fitting) == 1 else None


def public_keys(text: bytes, algorithms: Collection[str]) -> PublicKeys:
    """Return the keys of a JSON Web Key Set that prove signatures of these algorithms.

    Raises:
        ValueError: it is no key set, or has no such key.

    """
    raw: object = json.loads(text)
    listed = cast("dict[str, object]", raw).get("keys") if isinstance(raw, dict) else None
    if not isinstance(listed, list):
        message = "it is no key set"
        raise ValueError(message)  # noqa: TRY004  a wrong document, not a wrong call
    keys: PublicKeys = {}
    for number, each in enumerate(cast("list[object]", listed)[:_MOST_KEYS]):
        if isinstance(each, dict):
            entry = cast("dict[str, Any]", each)
            for algorithm in algorithms:
                if (key := _public_key(entry, algorithm)) is not None:
                    _ = keys.setdefault((str(entry.get("kid", f"#{number}")), algorithm), key)
    if not keys:
        message = "it has no key for the algorithms that are taken"
        raise ValueError(message)
    return keys


def _public_key(raw: dict[str, Any], algorithm: str) -> PyJWK | None:
    kind, curve = _KIND_OF[algorithm]
    fits = (
        raw.get("kty") == kind and raw.get("alg", algorithm) == algorithm and raw.get("use", "sig") == "sig"
    )
    if not fits or (curve is not None and raw.get("crv") != curve):
        return None
    # A private key has no place in a public set; nobody should rest on it.
    if "d" in raw:
        return None
    try:
        return PyJWK(raw, algorithm)
    except (PyJWTError, ValueError, TypeError):
        return None
