"""Speaks to a Confluent-compatible schema registry: subjects are `<full topic name>-value`."""

import asyncio
import ssl
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import httpx
import orjson

from bus.codec import RegisteredSchema
from bus.names import TopicNames
from bus.settings import SchemaSettings
from schemas.errors import ErrorCode, FatalError, PoisonError, TransientError
from schemas.topics import ALL_TOPICS, TopicSpec

FULL_TRANSITIVE = "FULL_TRANSITIVE"
"""Every version can be read with every other: what `python -m schemas.compatibility` promises."""

_PARALLEL = 8
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0
_SAID_CHARACTERS = 500
_CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
_INCOMPATIBLE = frozenset({HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY})


class Registry:
    """A connection to the registry. Use as `async with`.

    Every method raises:
        TransientError: the registry does not answer, after as many tries as `SCHEMA_REGISTRY_TRIES`.
        FatalError: it refuses us, or answers something that is not a registry's.
    """

    def __init__(self, settings: SchemaSettings, names: TopicNames) -> None:
        if settings.url is None:
            message = "SCHEMA_REGISTRY_URL is not set"
            raise FatalError(message)
        self._names = names
        self._tries = settings.tries
        self._client = _client(settings, settings.url.rstrip("/"))

    async def __aenter__(self) -> Self:
        """Return it; connections are made when they are needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._client.aclose()

    def subject(self, spec: TopicSpec) -> str:
        """Return the name under which the topic's value schemas stand."""
        return f"{self._names.full(spec)}-value"

    async def schemas(self) -> tuple[RegisteredSchema, ...]:
        """Return every version of every topic's value schema, oldest first; missing subjects are left out."""
        limit = asyncio.Semaphore(_PARALLEL)

        async def limited(spec: TopicSpec) -> tuple[RegisteredSchema, ...]:
            async with limit:
                return await self._versions(spec)

        wanted = [spec for spec in ALL_TOPICS if spec.record is not None]
        found = await asyncio.gather(*map(limited, wanted))
        return tuple(each for versions in found for each in versions)

    async def schema(self, spec: TopicSpec, number: int) -> RegisteredSchema | None:
        """Return the schema with this id, None when it is not one of the topic's."""
        path = f"/schemas/ids/{number}"
        users = await self._get(f"{path}/versions")
        try:
            subjects = {str(each["subject"]) for each in users or ()}
        except (KeyError, TypeError) as error:
            raise _not_a_registry(path) from error
        if self.subject(spec) not in subjects:
            return None
        answer = await self._get(path)
        return None if answer is None else _registered(spec, {"id": number, **answer})

    async def register(self, spec: TopicSpec, schema: dict[str, Any]) -> int:
        """Register a version of the topic's schema and return its id; the same schema keeps its id.

        Raises:
            PoisonError: the registry refuses it, because it does not fit the versions that are there.

        """
        path = f"/subjects/{self.subject(spec)}/versions"
        answer = await self._request("POST", path, {"schema": _text(schema)})
        if answer.status_code in _INCOMPATIBLE:
            message = f"the registry refuses the schema of {self.subject(spec)}: {_said(answer)}"
            raise PoisonError(message, code=ErrorCode.INVALID)
        found = self._json(answer, path)
        try:
            return int(found["id"])
        except (KeyError, TypeError, ValueError) as error:
            raise _not_a_registry(path) from error

    async def compatibility(self, spec: TopicSpec) -> str | None:
        """Return the level that is set for the topic's subject itself, None without one."""
        answer = await self._get(f"/config/{self.subject(spec)}")
        return None if answer is None else answer.get("compatibilityLevel")

    async def set_compatibility(self, spec: TopicSpec, level: str) -> None:
        """Set the level for the topic's subject."""
        path = f"/config/{self.subject(spec)}"
        _ = self._json(await self._request("PUT", path, {"compatibility": level}), path)

    async def _versions(self, spec: TopicSpec) -> tuple[RegisteredSchema, ...]:
        path = f"/subjects/{self.subject(spec)}/versions"
        numbers = await self._get(path)
        answers = [await self._get(f"{path}/{number}") for number in numbers or ()]
        return tuple(_registered(spec, answer) for answer in answers if answer is not None)

    async def _get(self, path: str) -> Any:
        """Return the answer's JSON, None when there is no such thing."""
        answer = await self._request("GET", path)
        return None if answer.status_code == HTTPStatus.NOT_FOUND else self._json(answer, path)

    async def _request(self, method: str, path: str, content: dict[str, Any] | None = None) -> httpx.Response:
        body = None if content is None else orjson.dumps(content)
        trouble = ""
        for attempt in range(1, self._tries + 1):
            pause_s = _FIRST_PAUSE_S * 2 ** (attempt - 1)
            try:
                answer = await self._client.request(method, path, content=body)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                trouble = f"the schema registry does not answer: {type(error).__name__}: {error}"
            else:
                if not _is_passing(answer):
                    return answer
                trouble = f"the schema registry answers {answer.status_code} to {method} {path}"
                pause_s = max(pause_s, _asked_pause_s(answer))
            if attempt < self._tries:
                await asyncio.sleep(min(pause_s, _LONGEST_PAUSE_S))
        raise TransientError(trouble)

    def _json(self, answer: httpx.Response, path: str) -> Any:
        if answer.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            message = (
                f"the schema registry refuses us with {answer.status_code} at {path}: check"
                " SCHEMA_REGISTRY_USERNAME and _PASSWORD, or SCHEMA_REGISTRY_TOKEN"
            )
            raise FatalError(message)
        if answer.status_code != HTTPStatus.OK:
            message = f"the schema registry answers {answer.status_code} to {path}: {_said(answer)}"
            raise FatalError(message)
        try:
            return answer.json()
        except ValueError as error:
            raise _not_a_registry(path) from error


def _client(settings: SchemaSettings, url: str) -> httpx.AsyncClient:
    headers = {"Accept": _CONTENT_TYPE, "Content-Type": _CONTENT_TYPE}
    if settings.token is not None:
        headers["Authorization"] = f"Bearer {settings.token.get_secret_value()}"
    password = settings.password.get_secret_value() if settings.password else ""
    return httpx.AsyncClient(
        base_url=url,
        auth=(settings.username, password) if settings.username else None,
        headers=headers,
        timeout=settings.timeout_s,
        verify=ssl.create_default_context(cafile=settings.ssl_cafile) if settings.ssl_cafile else True,
    )


def _text(schema: dict[str, Any]) -> str:
    # Apicurio 3.3 does not recognize Avro where the text has "{}", the default of some of our fields: the
    # same JSON with escaped braces is taken, and kept as it was meant.
    return orjson.dumps(schema).decode().replace('"{}"', r'"\u007b\u007d"')


def _is_passing(answer: httpx.Response) -> bool:
    is_busy = answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    return is_busy or answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR


def _asked_pause_s(answer: httpx.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0


def _registered(spec: TopicSpec, answer: Any) -> RegisteredSchema:
    try:
        return RegisteredSchema(spec.name, int(answer["id"]), orjson.loads(answer["schema"]))
    except (KeyError, TypeError, ValueError) as error:
        raise _not_a_registry(spec.name) from error


def _said(answer: httpx.Response) -> str:
    try:
        text = str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        text = answer.text
    return text[:_SAID_CHARACTERS] or "nothing more"


def _not_a_registry(path: str) -> FatalError:
    return FatalError(
        f"what is asked about {path} is not answered as a registry does: is SCHEMA_REGISTRY_URL"
        " a schema registry's, with the path of its Confluent-compatible interface?"
    )
