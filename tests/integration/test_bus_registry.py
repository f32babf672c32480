"""A Confluent-compatible registry over real HTTP: its ids, its refusals, its moods."""

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest

from bus.codec import Codec
from bus.names import TopicNames
from bus.registration import missing_from, register_all
from bus.registry import FULL_TRANSITIVE, Registry
from bus.schema_source import open_codec
from bus.settings import SchemaSettings
from schemas import examples
from schemas.avro_schema import schema_of
from schemas.errors import ErrorCode, FatalError, PoisonError, TransientError
from schemas.records import AnyRecord, Run, UserMessage
from schemas.topics import ALL_TOPICS, RUNS, USER_MESSAGES
from tests.integration.registry_server import RegistryServer, serving_registry

NAMES = TopicNames("t.")
SUBJECTS = {f"t.{spec.name}-value" for spec in ALL_TOPICS if spec.record is not None}


@pytest.fixture
async def server() -> AsyncIterator[RegistryServer]:
    async with serving_registry() as serving:
        yield serving


def settings_for(url: str, **more: object) -> SchemaSettings:
    return SchemaSettings.model_validate({"url": url, "tries": 1} | more)


def registry(server: RegistryServer, **more: object) -> Registry:
    return Registry(settings_for(server.url, **more), NAMES)


async def read(codec: Codec, value: bytes) -> AnyRecord:
    """Read a user message as a worker does: again while its schema is being looked up."""
    async with asyncio.timeout(10):
        while True:
            try:
                return codec.decode(USER_MESSAGES, value)
            except TransientError:
                await asyncio.sleep(0.01)


async def test_its_ids_are_written_and_its_older_versions_read(server: RegistryServer) -> None:
    message = server.add("t.user-messages-value", schema_of(UserMessage))
    older = server.add("t.runs-value", schema_of(Run) | {"doc": "Other words."})
    newer = server.add("t.runs-value", schema_of(Run))
    codec = await open_codec(settings_for(server.url), NAMES)
    assert codec.encode(examples.USER_MESSAGE)[1:5] == message.to_bytes(4, "big")
    assert codec.encode(examples.RUN)[1:5] == newer.to_bytes(4, "big")
    assert codec.encode(examples.TASK)[:5] == Codec().encode(examples.TASK)[:5]
    value = b"\x00" + older.to_bytes(4, "big") + codec.encode(examples.RUN)[5:]
    assert codec.decode(RUNS, value) == examples.RUN


async def test_registering_covers_every_topic_and_twice_changes_nothing(server: RegistryServer) -> None:
    async with registry(server) as opened:
        assert set(await missing_from(opened)) == SUBJECTS
        first = await register_all(opened)
        assert set(server.subjects) == SUBJECTS
        assert set(server.levels.values()) == {FULL_TRANSITIVE}
        assert all(each.is_new and each.problem is None for each in first)
        changes = len([request for request in server.requests if not request.startswith("GET")])
        second = await register_all(opened)
        assert await missing_from(opened) == ()
    assert [each.id for each in second] == [each.id for each in first]
    assert not any(each.is_new or each.compatibility_was for each in second)
    assert len([request for request in server.requests if not request.startswith("GET")]) == changes


async def test_a_weaker_level_is_raised_and_told(server: RegistryServer) -> None:
    server.levels["t.runs-value"] = "NONE"
    async with registry(server) as opened:
        found = {each.subject: each for each in await register_all(opened)}
    assert found["t.runs-value"].compatibility_was == "NONE"
    assert server.levels["t.runs-value"] == FULL_TRANSITIVE


async def test_a_refused_schema_is_told_and_the_others_are_registered(server: RegistryServer) -> None:
    server.refused.add("t.runs-value")
    async with registry(server) as opened:
        found = await register_all(opened)
    (bad,) = [each for each in found if each.problem]
    assert bad.subject == "t.runs-value"
    assert "mood has no default" in (bad.problem or "")
    assert set(server.subjects) == SUBJECTS - {"t.runs-value"}


async def test_an_id_of_later_is_looked_up_once(server: RegistryServer) -> None:
    codec = await open_codec(settings_for(server.url), NAMES)
    later = server.add("t.user-messages-value", schema_of(UserMessage) | {"doc": "A newer release."})
    value = b"\x00" + later.to_bytes(4, "big") + Codec().encode(examples.USER_MESSAGE)[5:]
    assert await read(codec, value) == examples.USER_MESSAGE
    asked = len(server.requests)
    assert codec.decode(USER_MESSAGES, value) == examples.USER_MESSAGE
    assert len(server.requests) == asked


async def test_an_id_of_nobody_is_poison_and_asked_for_once(server: RegistryServer) -> None:
    codec = await open_codec(settings_for(server.url), NAMES)
    before = len(server.requests)
    for _ in range(3):
        with pytest.raises(PoisonError) as raised:
            _ = await read(codec, b"\x00\x00\x00\x00\x07rest")
        assert raised.value.code is ErrorCode.UNKNOWN_SCHEMA
    assert len(server.requests) == before + 1


async def test_an_id_of_another_topic_is_poison(server: RegistryServer) -> None:
    codec = await open_codec(settings_for(server.url), NAMES)
    theirs = server.add("t.runs-value", schema_of(Run))
    with pytest.raises(PoisonError):
        _ = await read(codec, b"\x00" + theirs.to_bytes(4, "big") + b"rest")


async def test_a_message_waits_for_its_schema_while_the_registry_is_ill(server: RegistryServer) -> None:
    codec = await open_codec(settings_for(server.url), NAMES)
    later = server.add("t.user-messages-value", schema_of(UserMessage) | {"doc": "A newer release."})
    value = b"\x00" + later.to_bytes(4, "big") + Codec().encode(examples.USER_MESSAGE)[5:]
    server.failures += [503, 503, 429]
    assert await read(codec, value) == examples.USER_MESSAGE
    assert server.failures == []


async def test_passing_trouble_is_tried_again(server: RegistryServer) -> None:
    server.failures += [503, 429]
    async with registry(server, tries=3) as opened:
        assert await opened.schemas() == ()


async def test_lasting_trouble_is_said(server: RegistryServer) -> None:
    server.failures += [503] * 100
    with pytest.raises(TransientError, match="503"):
        async with registry(server) as opened:
            _ = await opened.schemas()


async def test_user_and_password_are_sent(server: RegistryServer) -> None:
    server.authorization = "Basic " + base64.b64encode(b"maestro:secret").decode()
    async with registry(server, username="maestro", password="secret") as opened:
        assert await opened.schemas() == ()


async def test_a_token_is_sent(server: RegistryServer) -> None:
    server.authorization = "Bearer secret"
    async with registry(server, token="secret") as opened:
        assert await opened.schemas() == ()


async def test_a_wrong_password_is_fatal(server: RegistryServer) -> None:
    server.authorization = "Bearer secret"
    with pytest.raises(FatalError, match="401"):
        async with registry(server) as opened:
            _ = await opened.schemas()


async def test_a_registry_that_is_away_is_asked_again_later() -> None:
    with pytest.raises(TransientError, match="does not answer"):
        async with Registry(settings_for("http://127.0.0.1:9"), NAMES) as opened:
            _ = await opened.schemas()


async def test_something_else_under_the_url_is_fatal(server: RegistryServer) -> None:
    server.subjects["t.runs-value"] = [1]
    server.ids["not JSON"] = 1
    with pytest.raises(FatalError, match="is SCHEMA_REGISTRY_URL a schema registry"):
        async with registry(server) as opened:
            _ = await opened.schemas()


async def test_a_release_that_is_not_registered_does_not_start(server: RegistryServer) -> None:
    _ = server.add("t.runs-value", schema_of(Run) | {"name": "Older"})
    with pytest.raises(FatalError, match="maestro topics --register"):
        _ = await open_codec(settings_for(server.url), NAMES)


def test_no_url_is_fatal() -> None:
    with pytest.raises(FatalError, match="SCHEMA_REGISTRY_URL"):
        _ = Registry(SchemaSettings.model_validate({"url": None}), NAMES)


def test_two_ways_to_log_in_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        _ = settings_for("http://127.0.0.1:9", username="me", token="secret")
