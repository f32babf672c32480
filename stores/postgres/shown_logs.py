"""What could be watched of a session while it happened? Asked for watchers who come too late."""

from collections.abc import Collection

from schemas.lists import Action
from stores.postgres.pool import Database
from stores.postgres.session_logs import StoredLog, stored_logs
from stores.postgres.statements import statements


class ShownLogs:
    """The entries of sessions' logs that are shown to watchers."""

    def __init__(
        self, database: Database, *, shown: Collection[Action], with_payload: Collection[Action]
    ) -> None:
        self._database = database
        self._sql = statements("shown_logs")
        self._shown = [action.value for action in shown]
        self._with_payload = [action.value for action in with_payload]

    async def newest(
        self, session_id: str, *, after: int, upto: int | None, run_id: str | None, limit: int
    ) -> list[StoredLog]:
        """Return the newest entries with `after` < sequence ≤ `upto` (None: to the end), in order.

        At most `limit`; those of one run where it is named. Payloads that nobody asks for are `{}`.

        Raises:
            TransientError: the record cannot be reached.

        """
        rows = await self._database.fetch(
            self._sql["newest"],
            session_id, after, upto, self._shown, run_id, self._with_payload, limit,
        )  # fmt: skip
        return stored_logs(rows[::-1])
