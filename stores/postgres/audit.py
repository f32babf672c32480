"""What happened in a task or session, in order; and is anything in the record without its parent."""

from stores.postgres.pool import Database
from stores.postgres.session_logs import StoredLog, stored_logs
from stores.postgres.statements import statements


class Audit:
    """Trails of tasks and sessions, and the check for orphans."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("audit")

    async def task_trail(self, task_id: str) -> list[StoredLog]:
        """Return every entry of the task's log, in order; empty when the task is unknown."""
        return stored_logs(await self._database.fetch(self._sql["task_trail"], task_id))

    async def session_trail(self, session_id: str) -> list[StoredLog]:
        """Return every entry of the session's log, in order; empty when the session is unknown."""
        return stored_logs(await self._database.fetch(self._sql["session_trail"], session_id))

    async def orphans(self) -> dict[str, int]:
        """Return how many rows lack their parent, by kind; only kinds that occur.

        Topics have no order between them, so a sink that is behind shows orphans for a moment;
        lasting ones are a loss.
        """
        rows = await self._database.fetch(self._sql["orphans"])
        return {row["kind"]: row["rows"] for row in rows if row["rows"]}

    async def gaps(self, *, limit: int = 20) -> list[str]:
        """Return at most `limit` sessions whose log lacks its newest entry: they wait until it is back."""
        return [str(row["session_id"]) for row in await self._database.fetch(self._sql["gaps"], limit)]


async def get_task_audit_trail(database: Database, task_id: str) -> list[StoredLog]:
    """Return every TaskLog of the task, in order."""
    return await Audit(database).task_trail(task_id)
