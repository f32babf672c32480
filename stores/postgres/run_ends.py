"""Do reads contain how a run ended? Asked for who was told of the end before it was recorded."""

from stores.postgres.pool import Database
from stores.postgres.statements import statements


class RunEnds:
    """The ends of runs, with all that belongs to them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("run_ends")

    async def is_shown(self, user_id: str, session_id: str, run_id: str) -> bool:
        """Whether run, session and messages as they are read now contain the end of the user's run.

        Also where the session was erased: no read will contain it.

        Raises:
            TransientError: the record cannot be reached.

        """
        row = await self._database.fetch_one(self._sql["is_shown"], user_id, session_id, run_id)
        return row is not None and bool(row["is_shown"])
