"""Vectors in the record: written once with the offsets, found by their owner, gone with what is erased."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from pydantic import SecretStr

from llm.completion import ModelError
from llm.embedding import Vector
from llm.hashed import HashedEmbedder, vector_of
from schemas import topics
from schemas.errors import ErrorCode, FatalError, TransientError
from schemas.lists import DeadLetterReason
from schemas.records import ConversationMessage, Document
from sinks.embeddings.settings import EmbeddingsSinkSettings
from sinks.embeddings.store import EmbeddingsStore
from sinks.errors import OvertakenError
from sinks.postgres.store import PostgresStore
from stores.postgres.embedding_search import EmbeddingSearch, FoundPiece
from stores.postgres.halfvec import use_halfvec
from stores.postgres.pool import Database
from stores.postgres.progress import Progress
from stores.postgres.settings import PostgresSettings
from tests.fakes.made_session import AT, Made
from tests.fakes.partition import Partition, write_all

SETTINGS = EmbeddingsSinkSettings(chunk_chars=200, overlap_chars=20, shared_owner="library")
BREAD = "Bake the bread for forty minutes in a hot oven."
SHARES = "The stock market fell on Tuesday."
COUNT = "select count(*)::integer as n from message_embeddings"


@dataclass
class CountingEmbedder(HashedEmbedder):
    """Counts what it is asked; fails as long as there is an error; refuses texts with the word `bad`."""

    error: ModelError | None = None
    texts: list[str] = field(default_factory=list[str])

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        if self.error is not None:
            raise self.error
        if any("bad" in text for text in texts):
            message = "it cannot take this text"
            raise ModelError(message, code=ErrorCode.MODEL_REFUSED_REQUEST)
        self.texts += texts
        return await super().embed(texts)


@pytest.fixture
async def vectors(record_url: str) -> AsyncIterator[Database]:
    """The migrated database, opened for vectors."""
    opened = Database(PostgresSettings(database_url=SecretStr(record_url)), prepare=use_halfvec)
    yield opened
    await opened.stop()


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


@pytest.fixture
def sink(vectors: Database, embedder: CountingEmbedder) -> EmbeddingsStore:
    return EmbeddingsStore(vectors, embedder, SETTINGS)


@pytest.fixture
def search(vectors: Database, embedder: CountingEmbedder) -> EmbeddingSearch:
    return EmbeddingSearch(vectors, model=embedder.model)


def document(content: str, *, user_id: str = "alice", session_id: str | None = None) -> Document:
    return Document(
        id=str(uuid4()),
        session_id=session_id,
        user_id=user_id,
        title="Notes",
        content=content,
        created_at=AT,
    )


def words_of(found: Sequence[FoundPiece]) -> list[str]:
    return [each.words for each in found]


async def count(database: Database) -> int:
    (row,) = await database.fetch(COUNT)
    return row["n"]


async def told(store: PostgresStore, made: Made, *messages: ConversationMessage) -> None:
    """Record messages together with a log that accepts them."""
    await write_all(store, made.logs(1, 20), *messages)


async def test_a_user_finds_what_is_near_in_messages_and_documents(
    sink: EmbeddingsStore, search: EmbeddingSearch, store: PostgresStore, made: Made
) -> None:
    said = (made.message(BREAD), made.message(SHARES, order=2, sequence=2))
    notes = document("How long to bake bread: forty minutes.")
    await told(store, made, *said)
    await write_all(store, notes)
    await write_all(sink, *said, notes)
    found = await search.nearest("alice", vector_of("how long is bread baked in the oven?"), limit=2)
    assert {(each.source, each.words) for each in found} == {("message", BREAD), ("document", notes.content)}
    assert found[0].score > found[1].score > 0.2
    by_source = {each.source: each for each in found}
    assert by_source["document"].title == "Notes"
    assert by_source["message"].session_id == made.session_id
    assert await search.nearest("bob", vector_of(BREAD)) == []


@pytest.mark.parametrize("other", ["bob", "library"])
async def test_nobody_finds_anothers_document_by_taking_its_id(
    sink: EmbeddingsStore, search: EmbeddingSearch, store: PostgresStore, other: str
) -> None:
    # Both keep the first of an id that they meet, and the topic's partitions have no order.
    secret = document(BREAD)
    taken = document(BREAD, user_id=other).model_copy(update={"id": secret.id})
    await write_all(store, secret, taken)
    await write_all(sink, taken, secret)
    assert await search.nearest(other, vector_of(BREAD)) == []
    assert await search.hybrid(other, vector_of(BREAD), "bread") == []
    assert await search.nearest_shared(vector_of(BREAD)) == []


async def test_a_long_text_is_found_by_its_piece(
    sink: EmbeddingsStore, search: EmbeddingSearch, store: PostgresStore
) -> None:
    long = document(
        f"{'Nothing of interest happens here. ' * 20}{BREAD} {'More of nothing follows then. ' * 20}"
    )
    await write_all(store, long)
    await write_all(sink, long)
    (best, *_) = await search.nearest("alice", vector_of(BREAD), limit=3)
    assert best.chunk > 0
    assert "forty minutes" in best.words
    assert best.words in long.content


async def test_repeats_and_rebuilt_records_are_not_embedded_again(
    sink: EmbeddingsStore, embedder: CountingEmbedder, vectors: Database, made: Made
) -> None:
    await sink.begin([("messages", 3)])
    partition = Partition(topics.MESSAGES)
    partition.append(made.message(BREAD), made.message(BREAD), made.message(BREAD, term=4))
    for _ in range(3):
        await partition.write(sink, 1)
    assert embedder.texts == [BREAD]
    (row,) = await vectors.fetch("select term, sequence from message_embeddings")
    assert (row["term"], row["sequence"]) == (4, 1)


async def test_what_the_log_did_not_accept_is_replaced_or_not_found(
    sink: EmbeddingsStore, search: EmbeddingSearch, store: PostgresStore, made: Made
) -> None:
    # The log has sequence 1 under term 1 (after a fence): what comes with term 0 is void.
    void = made.message(BREAD, term=0)
    lost = made.message("Bread that was never said.", order=2, sequence=9)
    await write_all(store, made.fence(0), made.logs(1, 1, term=1), void, lost)
    await write_all(sink, void, lost)
    assert await search.nearest("alice", vector_of(BREAD)) == []
    said = made.message("We spoke of bread.", term=1)
    partition = Partition(topics.MESSAGES, number=5).append(said, void)
    for each in (store, sink):
        await each.begin([("messages", 5)])
        partition.position = 0
        await partition.write(each, 1)
        await partition.write(each, 1)
    found = await search.nearest("alice", vector_of(BREAD))
    assert words_of(found) == ["We spoke of bread."]


async def test_a_zombie_writes_nothing(sink: EmbeddingsStore, vectors: Database, made: Made) -> None:
    await sink.begin([("messages", 3)])
    partition = Partition(topics.MESSAGES).append(made.message(BREAD), made.message(SHARES, order=2))
    await partition.write(sink, 1)
    with pytest.raises(OvertakenError):
        await partition.write(sink, from_offset=0)
    assert await count(vectors) == 1
    assert await Progress(vectors, sink="embeddings").next_offsets([("messages", 3)]) == {("messages", 3): 1}
    assert await Progress(vectors).next_offsets([("messages", 3)]) == {("messages", 3): 0}


async def test_a_model_that_is_away_moves_nothing_and_what_it_gave_is_kept(
    sink: EmbeddingsStore, embedder: CountingEmbedder, vectors: Database, made: Made
) -> None:
    await sink.begin([("messages", 3)])
    partition = Partition(topics.MESSAGES).append(made.message(BREAD))
    embedder.error = ModelError("away", code=ErrorCode.MODEL_UNAVAILABLE, is_retryable=True)
    with pytest.raises(TransientError):
        await partition.write(sink)
    assert (await count(vectors), partition.refused) == (0, [])
    embedder.error = None
    with pytest.raises(OvertakenError):
        await Partition(topics.MESSAGES, number=9).append(made.message(BREAD)).write(sink)
    await partition.write(sink)
    assert (await count(vectors), embedder.texts) == (1, [BREAD])


async def test_settings_that_cannot_work_stop_the_sink(
    sink: EmbeddingsStore, embedder: CountingEmbedder, made: Made
) -> None:
    embedder.error = ModelError("no key", code=ErrorCode.MODEL_AUTHENTICATION)
    with pytest.raises(FatalError, match="no key"):
        await write_all(sink, made.message(BREAD))


async def test_a_text_that_is_refused_is_a_dead_letter_and_the_others_are_kept(
    sink: EmbeddingsStore, vectors: Database, made: Made
) -> None:
    await sink.begin([("messages", 3)])
    partition = Partition(topics.MESSAGES).append(
        made.message("good"), made.message("bad", order=2), made.message("better", order=3)
    )
    partition.append(made.message("with nul", order=4))
    row = partition.entries[3].row
    assert row is not None
    row["content"] = "nul \x00 character"
    await partition.write(sink)
    assert [(each.message.offset, each.reason) for each in partition.refused] == [
        (1, DeadLetterReason.REFUSED_BY_STORE),
        (3, DeadLetterReason.REFUSED_BY_STORE),
    ]
    assert await count(vectors) == 2


async def test_an_erased_session_is_neither_embedded_nor_found(  # noqa: PLR0917  fixtures
    sink: EmbeddingsStore,
    search: EmbeddingSearch,
    store: PostgresStore,
    embedder: CountingEmbedder,
    vectors: Database,
    made: Made,
) -> None:
    before, after = made.message(BREAD), made.message(SHARES, order=2, sequence=2)
    await told(store, made, before)
    await write_all(sink, before)
    await vectors.execute("insert into erased_sessions (session_id) values ($1)", made.session_id)
    assert await search.nearest("alice", vector_of(BREAD)) == []
    await sink.begin([("messages", 4)])
    await Partition(topics.MESSAGES, number=4).append(after).write(sink)
    assert embedder.texts == [BREAD]
    assert await count(vectors) == 1


async def test_hybrid_search_puts_what_is_near_and_has_the_words_first(
    sink: EmbeddingsStore, search: EmbeddingSearch, store: PostgresStore, made: Made
) -> None:
    texts = ("Baking bread takes forty minutes.", "Order 4711 was sent.", "Bread orders go to the bakery.")
    said = [made.message(text, order=number, sequence=number) for number, text in enumerate(texts, 1)]
    await told(store, made, *said)
    await write_all(sink, *said)
    by_words = await search.hybrid("alice", vector_of("where is my parcel"), "4711", limit=3)
    assert by_words[0].words == texts[1]
    both = await search.hybrid("alice", vector_of("baking bread minutes"), "bread minutes", limit=3)
    assert both[0].words == texts[0]
    assert len(both) == 3
    # First in both lists: 1 / 61 twice.
    assert both[0].score == pytest.approx(2 / 61)
    assert await search.hybrid("alice", vector_of("bread"), '"no such words"', limit=3) != []
    assert await search.hybrid("bob", vector_of("bread"), "bread") == []


async def test_documents_of_the_shared_owner_are_found_by_everybody_and_no_others(
    sink: EmbeddingsStore, search: EmbeddingSearch, store: PostgresStore
) -> None:
    shared, own = document(BREAD, user_id="library"), document(f"My own: {BREAD}")
    await write_all(store, shared, own)
    await write_all(sink, shared, own)
    assert words_of(await search.nearest_shared(vector_of(BREAD))) == [BREAD]


async def test_vectors_of_another_model_are_not_compared(
    sink: EmbeddingsStore, vectors: Database, store: PostgresStore, made: Made
) -> None:
    await told(store, made, made.message(BREAD))
    await write_all(sink, made.message(BREAD))
    other = EmbeddingSearch(vectors, model="another")
    assert await other.nearest("alice", vector_of(BREAD)) == []
