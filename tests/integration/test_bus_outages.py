"""The bus while its broker is away: nothing is lost, and nobody waits for ever."""

import asyncio

import pytest

from bus.publisher import Publisher
from bus.reader import Start, TopicReader
from maestro.embedded.part import PartName
from maestro.embedded.settings import EmbeddedSettings
from maestro.embedded.stack import EmbeddedStack
from schemas import examples
from schemas.errors import FatalError, TransientError
from schemas.ids import new_id
from schemas.topics import RUNS, USER_MESSAGES
from tests.integration.bus_topics import DEADLINE_S, TRACE, made, read_all


async def test_a_broker_restart_while_publishing_loses_and_repeats_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("bus-restart")
    elsewhere = {PartName.POSTGRES: "postgresql://nowhere", PartName.REDIS: "redis://nowhere"}
    async with EmbeddedStack(EmbeddedSettings(data_dir=folder), external=elsewhere) as own:
        bus = await made(own.urls.kafka_bootstrap)
        ids = [new_id() for _ in range(300)]

        async def publish_all() -> None:
            for number in range(0, len(ids), 10):
                messages = [
                    examples.USER_MESSAGE.model_copy(update={"id": each})
                    for each in ids[number : number + 10]
                ]
                _ = await asyncio.gather(*(bus.publisher.publish(each, trace=TRACE) for each in messages))
                await asyncio.sleep(0.02)

        try:
            async with asyncio.timeout(DEADLINE_S * 2):
                publishing = asyncio.create_task(publish_all())
                await asyncio.sleep(0.2)
                await own.kill(PartName.KAFKA)
                await asyncio.sleep(0.5)
                assert not publishing.done()
                await own.start_part(PartName.KAFKA)
                await publishing
            topic = bus.names.full(USER_MESSAGES)
            async with TopicReader(bus.kafka, [topic], start=Start.BEGINNING) as reader:
                found = [
                    bus.codec.decode_plain(USER_MESSAGES, each.value)["id"] for each in await read_all(reader)
                ]
            assert found == ids
        finally:
            await bus.publisher.stop()


async def test_a_broker_that_stays_away_is_a_transient_error_and_stopping_ends(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("bus-away")
    elsewhere = {PartName.POSTGRES: "postgresql://nowhere", PartName.REDIS: "redis://nowhere"}
    async with EmbeddedStack(EmbeddedSettings(data_dir=folder), external=elsewhere) as own:
        bus = await made(own.urls.kafka_bootstrap)
        await bus.publisher.stop()
        hasty = bus.kafka.model_copy(update={"delivery_timeout_s": 1.0, "request_timeout_ms": 2_000})
        publisher = Publisher(hasty, names=bus.names, codec=bus.codec, source="test")
        await publisher.start()
        _ = await publisher.publish(examples.RUN, trace=TRACE)
        await own.kill(PartName.KAFKA)
        with pytest.raises(TransientError, match="no answer from Kafka in time"):
            _ = await publisher.publish(examples.RUN, trace=TRACE)
        with pytest.raises(TransientError, match="no answer from Kafka in time"):
            await publisher.publish_all([examples.RUN, examples.RUN], trace=TRACE, partition=0)
        async with asyncio.timeout(DEADLINE_S):
            await publisher.stop()
        with pytest.raises(FatalError, match="not running"):
            _ = await publisher.publish(examples.RUN, trace=TRACE)
        late = Publisher(hasty, names=bus.names, codec=bus.codec, source="test")
        with pytest.raises(TransientError, match="connecting a producer"):
            await late.start()
        with pytest.raises(TransientError, match="opening"):
            await TopicReader(hasty, [bus.names.full(RUNS)]).start()
