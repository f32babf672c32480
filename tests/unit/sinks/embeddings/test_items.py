"""What is embedded, and what need not be again."""

from dataclasses import replace

import pytest

from schemas.topics import DOCUMENTS, MESSAGES, RUNS
from sinks.embeddings.items import Item, item_of, newest, pieces_of, plan_of
from sinks.embeddings.settings import EmbeddingsSinkSettings
from stores.postgres.embeddings import KeptPiece, Settled

SETTINGS = EmbeddingsSinkSettings(chunk_chars=100, overlap_chars=10)
MODEL = "m"
ITEM = Item(
    id="i",
    source="message",
    user_id="alice",
    session_id="s",
    shared=False,
    title="",
    text="word " * 50,
    term=2,
    sequence=5,
    created_at_us=1,
)
MESSAGE = {
    "id": "i",
    "session_id": "s",
    "user_id": "alice",
    "role": "user",
    "content": "hello",
    "timestamp": 7,
    "term": 1,
    "sequence": 2,
}
DOCUMENT = {
    "id": "d",
    "session_id": None,
    "user_id": "library",
    "title": "Bread",
    "content": "Flour and water.",
    "created_at": 9,
}


def kept(item: Item, *, model: str = MODEL, term: int = 2, sequence: int = 5) -> dict[int, KeptPiece]:
    return {
        piece.chunk: KeptPiece(
            id=item.id,
            chunk=piece.chunk,
            model=model,
            content_hash=piece.content_hash,
            term=term,
            sequence=sequence,
        )
        for piece in pieces_of(item, SETTINGS)
    }


@pytest.mark.parametrize(
    ("role", "is_embedded"), [("user", True), ("assistant", True), ("tool", False), ("system", False)]
)
def test_what_people_and_models_say_is_embedded(role: str, is_embedded: bool) -> None:
    item = item_of(MESSAGES, {**MESSAGE, "role": role}, shared_owner=None)
    assert (item is not None) is is_embedded


def test_records_of_other_topics_are_nobodys_words() -> None:
    assert item_of(RUNS, MESSAGE, shared_owner=None) is None


@pytest.mark.parametrize(("owner", "shared"), [(None, False), ("library", True), ("bob", False)])
def test_documents_of_the_shared_owner_are_shared(owner: str | None, shared: bool) -> None:
    item = item_of(DOCUMENTS, DOCUMENT, shared_owner=owner)
    assert item is not None
    assert item.shared is shared


def test_each_piece_of_a_document_begins_with_its_title_and_knows_its_place_without_it() -> None:
    item = item_of(DOCUMENTS, {**DOCUMENT, "content": "Flour. " * 30}, shared_owner=None)
    assert item is not None
    pieces = pieces_of(item, SETTINGS)
    assert len(pieces) > 1
    assert all(piece.words.startswith("Bread\nFlour") for piece in pieces)
    assert pieces[0].starts_at == 0
    assert pieces[-1].starts_at + pieces[-1].length == len(item.text)


def test_of_one_id_the_greatest_place_in_the_log_wins_and_of_equals_the_first() -> None:
    old, new = replace(ITEM, term=1, text="void"), replace(ITEM, term=3, text="said")
    again = replace(new, text="repeat")
    assert newest([old, new, again]) == [new]
    assert newest([new, old]) == [new]


def test_a_new_text_is_embedded_whole() -> None:
    plan = plan_of(ITEM, pieces_of(ITEM, SETTINGS), {}, model=MODEL)
    assert plan is not None
    assert (plan.new, plan.settled) == (pieces_of(ITEM, SETTINGS), None)


def test_what_is_kept_unchanged_is_not_embedded_again() -> None:
    assert plan_of(ITEM, pieces_of(ITEM, SETTINGS), kept(ITEM), model=MODEL) is None


def test_the_same_text_at_a_later_place_is_only_noted() -> None:
    plan = plan_of(ITEM, pieces_of(ITEM, SETTINGS), kept(ITEM, term=1), model=MODEL)
    assert plan is not None
    assert (plan.new, plan.settled) == ((), Settled("i", 2, 5, len(pieces_of(ITEM, SETTINGS))))


def test_another_model_embeds_all_again() -> None:
    plan = plan_of(ITEM, pieces_of(ITEM, SETTINGS), kept(ITEM, model="other"), model=MODEL)
    assert plan is not None
    assert plan.new == pieces_of(ITEM, SETTINGS)


def test_a_void_version_does_not_replace_the_one_that_counts() -> None:
    void = replace(ITEM, term=1, text="never said")
    assert plan_of(void, pieces_of(void, SETTINGS), kept(ITEM), model=MODEL) is None


def test_a_shorter_version_drops_the_pieces_beyond_its_end() -> None:
    short = replace(ITEM, term=3, text="short")
    plan = plan_of(short, pieces_of(short, SETTINGS), kept(ITEM), model=MODEL)
    assert plan is not None
    assert [piece.words for piece in plan.new] == ["short"]
    assert plan.settled == Settled("i", 3, 5, 1)
