"""What of a message or document is embedded, in which pieces, and which of them are new. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from schemas.lists import Role
from schemas.topics import DOCUMENTS, MESSAGES, TopicSpec
from sinks.embeddings.chunks import chunks_of
from sinks.embeddings.settings import EmbeddingsSinkSettings
from sinks.ports import Row
from stores.postgres.embeddings import EmbeddedPiece, KeptPiece, Settled

TOPICS = (MESSAGES, DOCUMENTS)
_SPEAKERS = frozenset({Role.USER.value, Role.ASSISTANT.value})
"""Whose words are embedded: what tools returned is data, and what agents are told is not the user's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A text and whose it is. `created_at_us` in microseconds since 1970."""

    id: str
    source: str
    user_id: str
    session_id: str | None
    shared: bool
    title: str
    text: str
    term: int
    sequence: int
    created_at_us: int


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of an item: `words` is what is embedded."""

    chunk: int
    starts_at: int
    length: int
    words: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done for an item: pieces without a vector, and the place that all of them get."""

    item: Item
    new: tuple[Piece, ...]
    settled: Settled | None
    """None when nothing was kept of the item and nothing has to be dropped."""


def item_of(spec: TopicSpec, row: Row, *, shared_owner: str | None) -> Item | None:
    """Return what is to be embedded of a decoded record; None when it is nobody's words."""
    if spec is MESSAGES:
        return _of_message(row) if row["role"] in _SPEAKERS else None
    return _of_document(row, shared_owner) if spec is DOCUMENTS else None


def pieces_of(item: Item, settings: EmbeddingsSinkSettings) -> tuple[Piece, ...]:
    """Return the item's pieces, each with its title."""
    chunks = chunks_of(item.text, size=settings.chunk_chars, overlap=settings.overlap_chars)
    return tuple(_piece(number, chunk.start, chunk.words, item.title) for number, chunk in enumerate(chunks))


def newest(items: Iterable[Item]) -> list[Item]:
    """Return one item per id, that of the greatest place in its log, the first of equals; sorted by id."""
    best: dict[str, Item] = {}
    for item in items:
        held = best.get(item.id)
        if held is None or (item.term, item.sequence) > (held.term, held.sequence):
            best[item.id] = item
    return [best[name] for name in sorted(best)]


def plan_of(item: Item, pieces: Sequence[Piece], kept: Mapping[int, KeptPiece], *, model: str) -> Plan | None:
    """Return what is to be done; None when nothing is, or a newer version of the item is kept."""
    place = (item.term, item.sequence)
    if any((each.term, each.sequence) > place for each in kept.values()):
        return None
    new = tuple(piece for piece in pieces if not _has(kept.get(piece.chunk), piece, model))
    is_moved = any((each.term, each.sequence) != place for each in kept.values())
    has_rest = any(chunk >= len(pieces) for chunk in kept)
    settled = Settled(item.id, item.term, item.sequence, len(pieces)) if is_moved or has_rest else None
    return Plan(item, new, settled) if new or settled is not None else None


def embedded(item: Item, piece: Piece, vector: bytes) -> EmbeddedPiece:
    """Return the row of a piece."""
    return EmbeddedPiece(
        id=item.id,
        chunk=piece.chunk,
        user_id=item.user_id,
        session_id=item.session_id,
        source=item.source,
        shared=item.shared,
        content_hash=piece.content_hash,
        starts_at=piece.starts_at,
        length=piece.length,
        term=item.term,
        sequence=item.sequence,
        created_at_us=item.created_at_us,
        words=piece.words,
        embedding=vector,
    )


def _has(kept: KeptPiece | None, piece: Piece, model: str) -> bool:
    return kept is not None and (kept.model, kept.content_hash) == (model, piece.content_hash)


def _piece(number: int, start: int, text: str, title: str) -> Piece:
    words = f"{title}\n{text}" if title else text
    # The place belongs to what is compared: the same words elsewhere are shown from elsewhere.
    digest = sha256(f"{start}\n{words}".encode("utf-8", "surrogatepass")).hexdigest()
    return Piece(number, start, len(text), words, digest)


def _of_message(row: Mapping[str, Any]) -> Item:
    return Item(
        id=row["id"],
        source="message",
        user_id=row["user_id"],
        session_id=row["session_id"],
        shared=False,
        title="",
        text=row["content"],
        term=row["term"],
        sequence=row["sequence"],
        created_at_us=row["timestamp"],
    )


def _of_document(row: Mapping[str, Any], shared_owner: str | None) -> Item:
    return Item(
        id=row["id"],
        source="document",
        user_id=row["user_id"],
        session_id=row["session_id"],
        shared=shared_owner is not None and row["user_id"] == shared_owner,
        title=row["title"],
        text=row["content"],
        term=0,
        sequence=0,
        created_at_us=row["created_at"],
    )
