"""What became of a run."""

from schemas.records import Run
from stores.postgres.pool import Database
from stores.postgres.rows import record_of
from stores.postgres.statements import statements


class Runs:
    """Runs as they stand in the record."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("runs")

    async def get(self, run_id: str) -> Run | None:
        """Return the newest state of a run, None when it was never recorded."""
        row = await self._database.fetch_one(self._sql["run"], run_id)
        return None if row is None else record_of(Run, row)

    async def is_known(self, session_id: str, run_id: str) -> bool:
        """Return whether the accepted log of the session took the run's message, or rejected it.

        Behind the barrier of `task-logs` this is the truth. A row of `runs` is none: a process that was
        overtaken may have published it for a decision that does not count.
        """
        row = await self._database.fetch_one(self._sql["is_known"], session_id, run_id)
        return row is not None and bool(row["is_known"])

    async def is_decided(self, session_id: str, event_id: str) -> bool:
        """Return whether the accepted log of the session has a decision that the event caused.

        Behind the barrier of `task-logs` this is the truth.
        """
        row = await self._database.fetch_one(self._sql["is_decided"], session_id, event_id)
        return row is not None and bool(row["is_decided"])

    async def of_session(self, session_id: str) -> list[Run]:
        """Return all runs of a session, oldest first."""
        return [
            record_of(Run, row) for row in await self._database.fetch(self._sql["of_session"], session_id)
        ]
