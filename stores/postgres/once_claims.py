"""Whether a tool that must never start twice may start: the claim is a row, and rows outlive everything."""

from stores.postgres.pool import Database
from stores.postgres.statements import statements


class OnceClaims:
    """Claims of `once` tools, by step id."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("once_claims")

    async def claim(self, step_id: str, token: str) -> bool:
        """Claim the step for the attempt with this token (a UUID); return whether this attempt holds it.

        True when the claim is new or already this attempt's (its first answer got lost). False: another
        attempt may have started the tool, so what became of it is unknown.
        """
        await self._database.execute(self._sql["claim"], step_id, token)
        return await self.holds(step_id, token)

    async def holds(self, step_id: str, token: str) -> bool:
        """Return whether the attempt with this token holds the step."""
        row = await self._database.fetch_one(self._sql["holder"], step_id)
        return row is not None and str(row["token"]) == token
