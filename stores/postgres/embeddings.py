"""Vectors and words of messages and documents: what is kept, and how new ones are written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from stores.postgres.pool import Database, Transaction
from stores.postgres.statements import statements

_COLUMNS: Final = (
    "id",
    "chunk",
    "user_id",
    "session_id",
    "source",
    "shared",
    "content_hash",
    "starts_at",
    "length",
    "term",
    "sequence",
    "created_at_us",
    "words",
    "embedding",
)
_values = attrgetter(*_COLUMNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedPiece:
    """One row. `embedding` is packed (see `halfvec`); `words` is what full text finds."""

    id: str
    chunk: int
    user_id: str
    session_id: str | None
    source: str
    shared: bool
    content_hash: str
    starts_at: int
    length: int
    term: int
    sequence: int
    created_at_us: int
    words: str
    embedding: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPiece:
    """What is kept of a piece."""

    id: str
    chunk: int
    model: str
    content_hash: str
    term: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Settled:
    """A text as it now is: its place in the session's log, and how many pieces it has."""

    id: str
    term: int
    sequence: int
    chunks: int


class Embeddings:
    """The narrow table of vectors."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("embeddings")

    async def known(self, ids: Collection[str]) -> list[KeptPiece]:
        """Return what is kept of these messages and documents."""
        rows = await self._database.fetch(self._sql["known"], list(ids))
        return [
            KeptPiece(
                id=str(row["id"]),
                chunk=row["chunk"],
                model=row["model"],
                content_hash=row["content_hash"],
                term=row["term"],
                sequence=row["sequence"],
            )
            for row in rows
        ]

    async def erased(self, session_ids: Collection[str]) -> frozenset[str]:
        """Return which of these sessions are erased."""
        rows = await self._database.fetch(self._sql["erased"], list(session_ids))
        return frozenset(str(row["session_id"]) for row in rows)

    async def write(self, transaction: Transaction, model: str, pieces: Sequence[EmbeddedPiece]) -> int:
        """Write pieces, each (id, chunk) once; return how many became rows.

        Raises:
            RefusedError: the database refuses one of them.

        """
        if not pieces:
            return 0
        columns: list[list[Any]] = [list(column) for column in zip(*map(_values, pieces), strict=True)]
        return await transaction.execute(self._sql["write"], model, *columns)

    async def settle(self, transaction: Transaction, texts: Sequence[Settled]) -> None:
        """Note where texts now stand in their logs, and drop pieces beyond their ends."""
        if texts:
            columns = zip(*((each.id, each.term, each.sequence, each.chunks) for each in texts), strict=True)
            await transaction.execute(self._sql["settle"], *map(list, columns))
