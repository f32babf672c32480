"""Words in a user's own conversations: full text over a bounded number of the newest messages."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from stores.postgres.pool import Database
from stores.postgres.statements import statements

MESSAGES_LOOKED_AT: Final = 2_000
"""Newest messages that one search reads. There is no index of their words: it would cost every write."""
SESSIONS_LOOKED_AT: Final = 200
_CANDIDATES: Final = 100
_CHARS_OF_MESSAGE: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A message that holds a word, with the words around it. `has_all`: it holds every word."""

    session_id: str
    role: str
    said_at: datetime
    sequence_order: int
    snippet: str
    rank: float
    has_all: bool


class ConversationSearch:
    """Searches messages in the record."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("conversation_search")

    async def search(
        self,
        words: str,
        *,
        user_id: str,
        session_id: str,
        not_run_id: str,
        everywhere: bool,
        limit: int,
    ) -> list[Found]:
        """Return the user's best `limit` messages with any of the words, those with all of them first.

        Looks in the session, or `everywhere` in all sessions of the user that changed last; never at messages
        of another user, of the run that asks, of erased sessions, of rolled-back runs, or at void ones.

        Raises:
            TransientError: the database is away.

        """
        rows = await self._database.fetch(
            self._sql["search"],
            user_id,
            session_id,
            not_run_id,
            words,
            MESSAGES_LOOKED_AT,
            _CANDIDATES,
            limit,
            _CHARS_OF_MESSAGE,
            SESSIONS_LOOKED_AT if everywhere else 0,
        )
        return [
            Found(
                session_id=str(row["session_id"]),
                role=row["role"],
                said_at=row["timestamp"],
                sequence_order=row["sequence_order"],
                snippet=row["snippet"],
                rank=row["rank"],
                has_all=row["has_all"],
            )
            for row in rows
        ]
