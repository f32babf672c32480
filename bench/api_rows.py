"""A record full of sessions, made by the server itself: for the edge's benchmark and for tests of plans."""

from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from uuid import UUID

from stores.postgres.pool import Database
from stores.postgres.statements import parse

ONE = "user-0"
"""Who has by far the most sessions."""
AGENTS = 5
DAYS = 365
CONVERSATIONS = 50
"""How many sessions of `ONE` have messages, from the first on."""
MESSAGES = 200
"""Messages of each of them."""
GENERATIONS = 20_000
"""Generations of all users, over the days."""
_PART_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Amount:
    """How many sessions there are, how many of them `ONE` has, and how many users share the rest."""

    sessions: int
    of_one: int
    users: int

    @property
    def every(self) -> int:
        """Each how many-th session belongs to `ONE`: they lie scattered, as they do when all users write."""
        return self.sessions // self.of_one


_SQL = parse(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"), source="api_rows.sql")


async def fill(database: Database, amount: Amount) -> None:
    """Make sessions, conversations and generations, and statistics of them; the record must be empty.

    Indexes are made anew behind the rows, which is several times faster. Raises TransientError.
    """
    indexes = [row for row in await database.fetch(_SQL["indexes"]) if row["indexname"] != "sessions_pkey"]
    for row in indexes:
        await database.execute(f"drop index {row['indexname']}")
    await database.execute("alter table sessions drop constraint sessions_pkey")
    for first in range(0, amount.sessions, _PART_ROWS):
        last = min(first + _PART_ROWS, amount.sessions) - 1
        await database.execute(
            _SQL["sessions"], first, last, amount.every, ONE, amount.users, AGENTS, float(DAYS)
        )
    await database.execute("alter table sessions add primary key (id)")
    for row in indexes:
        await database.execute(row["indexdef"])
    await database.execute(_SQL["week"])
    for name in ("messages", "logs"):
        await database.execute(_SQL[name], amount.every, ONE, CONVERSATIONS, MESSAGES)
    await database.execute(_SQL["generations"], DAYS, GENERATIONS)
    for table in ("sessions", "messages", "task_logs", "generations", "erased_sessions"):
        await database.execute(f"vacuum (analyze) {table}")


def session_of_one(amount: Amount, number: int) -> str:
    """Return the id of the session of `ONE` with that number, from 0."""
    return str(UUID(md5(f"session{number * amount.every}".encode(), usedforsecurity=False).hexdigest()))
