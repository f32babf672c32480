"""The embeddings sink on real Kafka and Postgres, with a provider over HTTP that comes and goes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest
from pydantic import SecretStr

from bus.admin import Admin
from bus.codec import Codec
from bus.consumer import Consumer
from bus.deadletter import DeadLetters
from bus.names import TopicNames
from bus.publisher import Publisher
from bus.reader import Start, TopicReader
from bus.settings import KafkaSettings, TopicSettings
from llm.completion import ModelError
from llm.embedding import DIMENSIONS
from llm.embedding_settings import EmbeddingSettings
from llm.provider_embedding import ProviderEmbedder
from maestro.embedded.stack import EmbeddedStack
from schemas.errors import ErrorCode
from schemas.topics import DEAD_LETTERS
from sinks.embeddings.items import TOPICS
from sinks.embeddings.settings import EmbeddingsSinkSettings
from sinks.embeddings.store import EmbeddingsStore
from sinks.process import SinkProcess, topics_of
from sinks.settings import SinkSettings
from stores.postgres.halfvec import use_halfvec
from stores.postgres.pool import Database
from stores.postgres.settings import PostgresSettings
from telemetry.tracing import derived
from tests.fakes.embedding_server import REFUSED_WORD, EmbeddingServer, embedding_server
from tests.fakes.made_session import Made

DEADLINE_S = 30
PARTITIONS = 2
MODEL = "openai/text-embedding-3-small"
# The library reads fields in a way that pydantic has deprecated; that is nothing to the program.
pytestmark = pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning")


@pytest.fixture
async def server() -> AsyncIterator[EmbeddingServer]:
    async with embedding_server() as running:
        yield running


@pytest.fixture
async def vectors(record_url: str) -> AsyncIterator[Database]:
    """The migrated database, opened for vectors."""
    opened = Database(PostgresSettings(database_url=SecretStr(record_url)), prepare=use_halfvec)
    yield opened
    await opened.stop()


def embedder(server: EmbeddingServer) -> ProviderEmbedder:
    return ProviderEmbedder(
        EmbeddingSettings(model=MODEL, base_url=server.url, api_key=SecretStr("sk-test"), batch_texts=2)
    )


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until the condition holds, for at most DEADLINE_S seconds."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not await condition():  # noqa: ASYNC110  a database gives no sign
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"not within {DEADLINE_S} s: {what}")


@dataclass
class House:
    """Topics of one test and a publisher."""

    kafka: KafkaSettings
    names: TopicNames
    publisher: Publisher

    async def say(self, made: Made, content: str, order: int) -> None:
        """Publish a message."""
        message = made.message(content, order=order, sequence=order)
        await self.publisher.publish(message, trace=derived("x"))


@pytest.fixture
async def house(stack: EmbeddedStack) -> AsyncIterator[House]:
    prefix = f"emb{uuid4().hex[:8]}."
    kafka = KafkaSettings(bootstrap_servers=stack.urls.kafka_bootstrap)
    names = TopicNames(prefix)
    async with Admin(kafka, TopicSettings(prefix=prefix, partitions=PARTITIONS)) as admin:
        await admin.create_topics()
    publisher = Publisher(kafka, names=names, codec=Codec(), source="test")
    await publisher.start()
    yield House(kafka, names, publisher)
    await publisher.stop()


@asynccontextmanager
async def running(house: House, store: EmbeddingsStore) -> AsyncGenerator[SinkProcess]:
    """A running sink, stopped in an orderly way at the end."""
    process = SinkProcess(
        topics=topics_of(TOPICS, house.names.prefix),
        settings=SinkSettings(retry_first_s=0.05, retry_most_s=0.2, linger_ms=20),
        store=store,
        decoder=Codec(),
        dead_letters=DeadLetters(house.publisher, house.names),
    )
    process.connect(
        Consumer(
            house.kafka,
            streams=process.streams,
            group=house.names.group("sink-embeddings"),
            on_assigned=process.on_assigned,
        )
    )
    task = asyncio.create_task(process.run())
    try:
        yield process
    finally:
        process.stop()
        async with asyncio.timeout(DEADLINE_S):
            assert await task == 0


async def test_nothing_is_skipped_while_the_provider_is_away_and_a_refused_text_is_a_dead_letter(
    house: House, vectors: Database, server: EmbeddingServer, made: Made
) -> None:
    async def has(count: int) -> bool:
        (row,) = await vectors.fetch("select count(*)::integer as n from message_embeddings")
        return row["n"] == count

    async def is_waiting() -> bool:
        return "store is away" in process.health.ready().reason

    server.status = 503
    for order in range(1, 4):
        await house.say(made, f"text number {order}", order)
    await house.say(made, f"an {REFUSED_WORD} text", 4)
    store = EmbeddingsStore(vectors, embedder(server), EmbeddingsSinkSettings())
    async with running(house, store) as process:
        await until(is_waiting, "the sink says that it waits")
        server.status = 200
        await until(lambda: has(3), "all texts have vectors")
    async with running(house, store) as process:
        await house.say(made, "text number five", 5)
        await until(lambda: has(4), "the new text has a vector")
    assert sorted(server.texts) == ["text number 1", "text number 2", "text number 3", "text number five"]
    dead = house.names.full(DEAD_LETTERS)
    async with TopicReader(house.kafka, [dead], start=Start.BEGINNING) as reader:
        (letter,) = await reader.read(timeout_s=10)
    assert REFUSED_WORD.encode() in (letter.value or b"")


async def test_shorter_vectors_are_filled_up_and_come_in_the_order_of_the_texts(
    server: EmbeddingServer,
) -> None:
    first, second, third = await embedder(server).embed(["bread", "oven", "bread"])
    assert [len(each) for each in (first, second)] == [DIMENSIONS] * 2
    assert first == third != second
    assert server.asked[0]["dimensions"] == DIMENSIONS


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (429, "", ErrorCode.MODEL_RATE_LIMITED),
        (500, "", ErrorCode.MODEL_UNAVAILABLE),
        (401, "", ErrorCode.MODEL_AUTHENTICATION),
        (200, '{"object": "list", "data": [], "model": "m"}', ErrorCode.MODEL_NONSENSE),
        (200, '{"data": [{"index": 0, "embedding": []}], "model": "m"}', ErrorCode.MODEL_NONSENSE),
    ],
)
async def test_trouble_of_a_provider_has_a_code(
    server: EmbeddingServer, status: int, body: str, code: ErrorCode
) -> None:
    server.status, server.body = status, body
    with pytest.raises(ModelError) as caught:
        await embedder(server).embed(["x"])
    assert caught.value.code is code
