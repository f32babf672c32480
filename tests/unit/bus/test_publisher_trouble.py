"""A publisher whose messages are not acknowledged says so."""

import asyncio
from time import monotonic

from bus.codec import Codec
from bus.names import TopicNames
from bus.publisher import Publisher
from bus.settings import KafkaSettings


async def test_a_late_acknowledgement_is_trouble_until_it_comes() -> None:
    publisher = Publisher(KafkaSettings(), names=TopicNames("t."), codec=Codec(), source="test")
    future = asyncio.get_running_loop().create_future()
    try:
        publisher._unacknowledged[future] = monotonic() - 1
        publisher._watch_deliveries()
        assert publisher.trouble() is None
        publisher._unacknowledged[future] = monotonic() - 7
        publisher._watch_deliveries()
        assert publisher.trouble() == "Kafka has not acknowledged a message for 7 s"
        del publisher._unacknowledged[future]
        publisher._watch_deliveries()
        assert publisher.trouble() is None
    finally:
        await publisher.stop()
