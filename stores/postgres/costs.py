"""What a session cost."""

from dataclasses import dataclass

from stores.postgres.pool import Database
from stores.postgres.statements import statements


@dataclass(frozen=True, slots=True)
class SessionCost:
    """Sum over a session's generations."""

    total: float | None
    """US dollars of the generations with a known price; None when none has one."""
    generations: int
    unpriced: int
    """Generations without a known price: when there are any, the total is a lower bound."""


class Costs:
    """Costs from the recorded generations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("costs")

    async def of_session(self, session_id: str) -> SessionCost:
        """Return what the session cost; no generations for an unknown session."""
        row = await self._database.fetch_one(self._sql["of_session"], session_id)
        if row is None:
            return SessionCost(None, 0, 0)
        return SessionCost(row["total"], row["generations"], row["unpriced"])


async def calculate_session_cost(database: Database, session_id: str) -> SessionCost:
    """Return the sum of the session's cost estimates, and whether any is unknown."""
    return await Costs(database).of_session(session_id)
