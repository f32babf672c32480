"""Builds the embeddings sink."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bus.consumer import Consumer
from llm.embedders import build_embedder
from llm.embedding_settings import EmbeddingSettings
from maestro.settings import load
from maestro.wiring.observed import observed_sink
from maestro.wiring.wires import open_bus
from sinks.embeddings.items import TOPICS
from sinks.embeddings.settings import EmbeddingsSinkSettings
from sinks.embeddings.store import EmbeddingsStore
from sinks.process import SinkProcess, topics_of
from sinks.settings import SinkSettings
from stores.postgres.halfvec import use_halfvec
from stores.postgres.pool import Database
from stores.postgres.settings import PostgresSettings


@asynccontextmanager
async def embeddings_sink() -> AsyncGenerator[SinkProcess]:
    """Build the process that keeps vectors; its clients are open while the context is."""
    general, own, model, postgres = load(
        SinkSettings, EmbeddingsSinkSettings, EmbeddingSettings, PostgresSettings
    )
    settings = general.model_copy(
        update={"batch_rows": own.write_records, "behind_batch_rows": own.write_records}
    )
    async with open_bus("maestro.sink-embeddings") as bus:
        database = Database(postgres, prepare=use_halfvec)
        await database.start()
        try:
            topics = topics_of(TOPICS, bus.topics.prefix)
            process = SinkProcess(
                topics=topics,
                settings=settings,
                store=EmbeddingsStore(database, build_embedder(model), own),
                decoder=bus.codec,
                dead_letters=bus.dead_letters,
            )
            member = Consumer(
                bus.kafka,
                streams=process.streams,
                group=bus.names.group("sink-embeddings"),
                on_assigned=process.on_assigned,
            )
            process.connect(member)
            stores = {"PostgreSQL": lambda: database.fetch_one("select 1")}
            async with observed_sink(process, bus, member, stores):
                yield process
        finally:
            await database.stop()
