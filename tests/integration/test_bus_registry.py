"""Schema ids from a Confluent-compatible registry, over real HTTP."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from bus.codec import Codec
from bus.names import TopicNames
from bus.registry import Registry
from bus.settings import SchemaSettings
from schemas import examples
from schemas.avro_schema import schema_of
from schemas.errors import FatalError, TransientError
from schemas.records import Run, UserMessage

NAMES = TopicNames("t.")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start a server that gives every request to one handler; returns its URL."""
    runners: list[web.AppRunner] = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app)
        runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


SUBJECTS = {
    "t.user-messages-value": {1: (11, schema_of(UserMessage))},
    "t.runs-value": {1: (5, schema_of(Run)), 2: (12, schema_of(Run) | {"doc": "Other words."})},
}


async def registry_of_two_topics(request: web.Request) -> web.StreamResponse:
    """Answer as Confluent's registry does."""
    if request.headers.get("Authorization") != "Basic " + base64.b64encode(b"maestro:secret").decode():
        return web.json_response({"error_code": 401}, status=401)
    subject, *rest = request.path.removeprefix("/subjects/").removesuffix("/").split("/")
    versions = SUBJECTS.get(subject)
    if versions is None:
        return web.json_response({"error_code": 40401}, status=404)
    if rest == ["versions"]:
        return web.json_response(list(versions))
    identity, schema = versions[int(rest[-1])]
    return web.json_response({"subject": subject, "id": identity, "schema": json.dumps(schema)})


def settings_for(url: str) -> SchemaSettings:
    return SchemaSettings.model_validate({"url": url, "username": "maestro", "password": "secret"})


async def test_its_ids_are_read_and_written_with(serve: Serve) -> None:
    found = await Registry(settings_for(await serve(registry_of_two_topics)), NAMES).schemas()
    assert [(each.topic, each.id) for each in found] == [("user-messages", 11), ("runs", 5), ("runs", 12)]
    codec = Codec(found)
    assert codec.encode(examples.USER_MESSAGE)[:5] == b"\x00\x00\x00\x00\x0b"
    assert codec.encode(examples.RUN)[:5] == b"\x00\x00\x00\x00\x0c"
    assert codec.encode(examples.TASK)[:5] == Codec().encode(examples.TASK)[:5]


async def test_a_wrong_password_is_fatal(serve: Serve) -> None:
    url = await serve(registry_of_two_topics)
    with pytest.raises(FatalError, match="401"):
        _ = await Registry(SchemaSettings.model_validate({"url": url}), NAMES).schemas()


async def test_a_failing_registry_is_asked_again_later(serve: Serve) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503 if request.path else 500)

    with pytest.raises(TransientError, match="503"):
        _ = await Registry(settings_for(await serve(broken)), NAMES).schemas()


async def test_a_registry_that_is_away_is_asked_again_later() -> None:
    with pytest.raises(TransientError, match="does not answer"):
        _ = await Registry(settings_for("http://127.0.0.1:9"), NAMES).schemas()


async def test_something_else_under_the_url_is_fatal(serve: Serve) -> None:
    async def website(request: web.Request) -> web.StreamResponse:
        return web.Response(text=f"<html>{request.path}</html>")

    with pytest.raises(FatalError, match="is SCHEMA_REGISTRY_URL a schema registry"):
        _ = await Registry(settings_for(await serve(website)), NAMES).schemas()


def test_no_url_is_fatal() -> None:
    with pytest.raises(FatalError, match="SCHEMA_REGISTRY_URL"):
        _ = Registry(SchemaSettings.model_validate({"url": None}), NAMES)
