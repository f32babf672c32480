"""A Confluent-compatible schema registry: which ids it gave to the schemas of our topics."""

import asyncio
from http import HTTPStatus
from typing import Any

import httpx
import orjson

from bus.codec import RegisteredSchema
from bus.names import TopicNames
from bus.settings import SchemaSettings
from schemas.errors import FatalError, TransientError
from schemas.topics import ALL_TOPICS, TopicSpec

_PARALLEL = 8


class Registry:
    """Reads schemas by subject: `<full topic name>-value`, as Confluent's clients name them."""

    def __init__(self, settings: SchemaSettings, names: TopicNames) -> None:
        if settings.url is None:
            message = "SCHEMA_REGISTRY_URL is not set"
            raise FatalError(message)
        self._names = names
        self._url = settings.url.rstrip("/")
        self._timeout_s = settings.timeout_s
        password = settings.password.get_secret_value() if settings.password else ""
        self._auth = (settings.username, password) if settings.username else None

    async def schemas(self) -> tuple[RegisteredSchema, ...]:
        """Return every version of every topic's value schema, oldest first; missing subjects are left out.

        Raises:
            TransientError: the registry does not answer.
            FatalError: it refuses us, or answers something that is not a registry's.

        """
        limit = asyncio.Semaphore(_PARALLEL)
        async with httpx.AsyncClient(auth=self._auth, timeout=self._timeout_s) as client:

            async def limited(spec: TopicSpec) -> tuple[RegisteredSchema, ...]:
                async with limit:
                    return await self._versions(client, spec)

            wanted = [spec for spec in ALL_TOPICS if spec.record is not None]
            found = await asyncio.gather(*map(limited, wanted))
        return tuple(each for versions in found for each in versions)

    async def _versions(self, client: httpx.AsyncClient, spec: TopicSpec) -> tuple[RegisteredSchema, ...]:
        subject = f"{self._url}/subjects/{self._names.full(spec)}-value/versions"
        numbers = await _json(client, subject)
        if numbers is None:
            return ()
        answers = [await _json(client, f"{subject}/{number}") for number in numbers]
        try:
            return tuple(
                RegisteredSchema(spec.name, int(answer["id"]), orjson.loads(answer["schema"]))
                for answer in answers
                if answer is not None
            )
        except (KeyError, TypeError, ValueError) as error:
            message = f"{subject} answers without id and schema: is SCHEMA_REGISTRY_URL a schema registry?"
            raise FatalError(message) from error


async def _json(client: httpx.AsyncClient, url: str) -> Any:
    try:
        answer = await client.get(url)
    except httpx.HTTPError as error:
        message = f"the schema registry does not answer: {type(error).__name__}: {error}"
        raise TransientError(message) from error
    if answer.status_code == HTTPStatus.NOT_FOUND:
        return None
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"the schema registry answers {answer.status_code} to {url}"
        raise TransientError(message)
    if answer.status_code != HTTPStatus.OK:
        message = (
            f"the schema registry refuses {url} with {answer.status_code}: check SCHEMA_REGISTRY_ settings"
        )
        raise FatalError(message)
    try:
        return answer.json()
    except ValueError as error:
        message = f"{url} does not answer JSON: is SCHEMA_REGISTRY_URL a schema registry?"
        raise FatalError(message) from error
