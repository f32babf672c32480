"""What the publisher relies on inside the pinned client."""

import inspect

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import MessageAccumulator


def test_send_ends_in_the_call_that_the_publisher_makes_itself() -> None:
    source = inspect.getsource(AIOKafkaProducer.send)
    assert "await self._message_accumulator.add_message(" in source
    named = list(inspect.signature(MessageAccumulator.add_message).parameters)
    assert named == ["self", "tp", "key", "value", "timeout", "timestamp_ms", "headers"]


def test_what_send_checks_before_is_what_the_publisher_checks() -> None:
    # A new step there is one that we would leave out.
    source = inspect.getsource(AIOKafkaProducer.send)
    steps = [line.strip() for line in source.splitlines() if "await " in line or "self._" in line]
    assert [step for step in steps if "txn_manager" not in step and "transaction" not in step] == [
        "await self.client._wait_on_metadata(topic)",
        "key_bytes, value_bytes = self._serialize(key, value, headers)",
        "partition = self._partition(",
        "fut = await self._message_accumulator.add_message(",
        "self._request_timeout_ms / 1000,",
    ]
