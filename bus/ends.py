"""Where partitions end right now: what a barrier has to wait for."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from bus.connection import client_options, translated
from bus.settings import KafkaSettings

_ANSWER_WITHIN_S = 30.0


class EndOffsets:
    """Asks the brokers for end offsets; questions of one turn of the loop go out together."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._client: Any = None
        self._waiting: dict[tuple[str, int], list[asyncio.Future[int]]] = {}
        self._asking: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect.

        Raises:
            TransientError: Kafka cannot be reached.
            FatalError: Kafka refuses us.

        """
        client: Any = AIOKafkaConsumer(**client_options(self._kafka), enable_auto_commit=False)
        try:
            await client.start()
        except KafkaError as error:
            await client.stop()
            raise translated(error, doing="connecting to ask for offsets") from error
        self._client = client

    async def stop(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.stop()
            self._client = None

    async def end_offset(self, topic: str, partition: int) -> int:
        """Return the offset that the partition's next message will get; `topic` is the full name.

        Raises:
            TransientError: no answer in time.

        """
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.setdefault((topic, partition), []).append(future)
        return await future

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, {}
        task = asyncio.create_task(self._ask(waiting))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, waiting: dict[tuple[str, int], list[asyncio.Future[int]]]) -> None:
        places = {TopicPartition(topic, partition): (topic, partition) for topic, partition in waiting}
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                ends = await self._client.end_offsets(list(places))
        except (KafkaError, TimeoutError) as error:
            for future in (future for futures in waiting.values() for future in futures):
                if not future.done():
                    future.set_exception(translated(error, doing="asking where partitions end"))
            return
        for place, end in ends.items():
            for future in waiting[places[place]]:
                if not future.done():
                    future.set_result(end)
