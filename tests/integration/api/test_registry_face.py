"""Confluent's own clients read what our codec writes, when they are pointed at the edge."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from confluent_kafka.schema_registry import SchemaRegistryClient, SchemaRegistryError
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from api.app import create_app
from bus.codec import Codec
from bus.names import TopicNames
from schemas import examples
from schemas.avro_schema import schema_id
from schemas.committed import read_committed
from schemas.records import Record
from schemas.topics import BY_RECORD
from tests.fleet.whole_life import as_ours
from tests.unit.api.edges import client_of, edge_with, settings

NAMES = TopicNames("shop.")
START_LIMIT_S = 30.0
RECORDS = [each for each in vars(examples).values() if isinstance(each, Record)]


def app() -> Any:
    return create_app(dataclasses.replace(edge_with(settings()), names=NAMES))


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """The registry face of an edge on a port of this machine."""
    server = uvicorn.Server(uvicorn.Config(app(), port=0, lifespan="off", ws="none", log_config=None))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(START_LIMIT_S):
        while not server.started:  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/registry"
    server.should_exit = True
    await serving


def test_there_is_an_example_of_every_record() -> None:
    assert {type(record) for record in RECORDS} == BY_RECORD.keys()


async def test_their_deserializer_reads_every_topic(url: str) -> None:
    codec = Codec()
    with SchemaRegistryClient({"url": url}) as client:
        theirs = AvroDeserializer(client)  # pyright: ignore[reportCallIssue]
        for record in RECORDS:
            topic = NAMES.full(BY_RECORD[type(record)])
            context = SerializationContext(topic, MessageField.VALUE)
            found: Any = await asyncio.to_thread(theirs, codec.encode(record), context)
            assert as_ours(found) == record.model_dump()


async def test_their_client_finds_every_subject_and_version(url: str) -> None:
    committed = read_committed().versions
    with SchemaRegistryClient({"url": url}) as client:
        subjects = await asyncio.to_thread(client.get_subjects)
        assert subjects == sorted(NAMES.full(spec) + "-value" for spec in BY_RECORD.values())
        for spec in BY_RECORD.values():
            subject = f"{NAMES.full(spec)}-value"
            assert await asyncio.to_thread(client.get_versions, subject) == sorted(committed[spec.name])
            latest = await asyncio.to_thread(client.get_latest_version, subject)
            newest = max(committed[spec.name])
            assert (latest.version, latest.schema_id) == (newest, schema_id(committed[spec.name][newest]))
        with pytest.raises(SchemaRegistryError) as refused:
            _ = await asyncio.to_thread(client.get_schema, 1)
        assert (refused.value.http_status_code, refused.value.error_code) == (404, 40403)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/schemas/ids/1", 404, 40403),
        ("/schemas/ids/one", 404, 40403),
        ("/schemas/ids/1/versions", 404, 40403),
        ("/subjects/nothing/versions", 404, 40401),
        ("/subjects/nothing/versions/1", 404, 40401),
        ("/subjects/shop.runs-value/versions/99", 404, 40402),
        ("/subjects/shop.runs-value/versions/newest", 422, 42202),
    ],
)
async def test_what_is_not_there_is_answered_in_the_registry_s_numbers(
    path: str, status: int, code: int
) -> None:
    async with client_of(app()) as client:
        answer = await client.get(f"/registry{path}")
    assert answer.headers["content-type"] == "application/vnd.schemaregistry.v1+json"
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
