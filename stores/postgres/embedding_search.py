"""Search by meaning, and by meaning and words together, in what a user said and keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from stores.postgres.halfvec import pack
from stores.postgres.pool import Database, Row
from stores.postgres.statements import statements

CANDIDATES: Final = 50
"""Best of each list that are merged and looked at."""
RANKED_MATCHES: Final = 2_000
"""Newest pieces with the words that are ranked: ranking more of them dominates the search."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPiece:
    """A piece of a message (`source` message) or document. A greater `score` is better, within one search."""

    id: str
    chunk: int
    source: str
    session_id: str | None
    title: str | None
    words: str
    created_at: datetime
    score: float


class EmbeddingSearch:
    """Searches vectors of one model. The database must have been opened with `use_halfvec`.

    Nothing of another user, of erased sessions, of rolled-back runs, or that the log did not accept is found.
    """

    def __init__(self, database: Database, *, model: str) -> None:
        self._database = database
        self._model = model
        self._sql = statements("embedding_search")

    async def nearest(self, user_id: str, vector: Sequence[float], *, limit: int = 10) -> list[FoundPiece]:
        """Return the user's pieces nearest to `vector`, exactly; the score is the cosine.

        Raises:
            TransientError: the database is away.

        """
        rows = await self._database.fetch(
            self._sql["nearest"], user_id, self._model, pack(vector), max(CANDIDATES, limit), limit
        )
        return _found(rows)

    async def hybrid(
        self, user_id: str, vector: Sequence[float], words: str, *, limit: int = 10
    ) -> list[FoundPiece]:
        """Return the user's pieces that are near or hold the words, those that do both first.

        `words` as in a web search: all of them, "phrases", or, -without. The score is the sum of
        1 / (60 + rank) in both lists.

        Raises:
            TransientError: the database is away.

        """
        rows = await self._database.fetch(
            self._sql["hybrid"],
            user_id,
            self._model,
            pack(vector),
            words,
            max(CANDIDATES, limit),
            RANKED_MATCHES,
            limit,
        )
        return _found(rows)

    async def nearest_shared(self, vector: Sequence[float], *, limit: int = 10) -> list[FoundPiece]:
        """Return pieces of documents that everybody may search, nearest first, approximately.

        Raises:
            TransientError: the database is away.

        """
        async with self._database.transaction() as transaction:
            await transaction.execute(self._sql["iterate"])
            rows = await transaction.fetch(
                self._sql["nearest_shared"], self._model, pack(vector), max(CANDIDATES, limit), limit
            )
        return _found(rows)


def _found(rows: Sequence[Row]) -> list[FoundPiece]:
    return [
        FoundPiece(
            id=str(row["id"]),
            chunk=row["chunk"],
            source=row["source"],
            session_id=None if row["session_id"] is None else str(row["session_id"]),
            title=row["title"],
            words=row["words"],
            created_at=row["created_at"],
            score=row["score"],
        )
        for row in rows
    ]
