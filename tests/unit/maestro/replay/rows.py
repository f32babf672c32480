"""The rows of one session's log, as the record returns them."""

from stores.postgres.session_logs import Head, StoredLog


class Rows:
    """The questions that are asked of a session's log, answered from rows. `pages` counts the reads."""

    def __init__(self, rows: list[StoredLog], *, erased: bool = False, copied: int = 0) -> None:
        self.rows = rows
        self.erased = erased
        self.copied = copied
        self.pages = 0

    async def head(self, session_id: str) -> Head:
        last = [row for row in self.rows if row.session_id == session_id][-1:]
        return Head(7, last[0].sequence if last else 0, last[0].hash if last else "", erased=self.erased)

    async def entries(self, session_id: str, *, after: int = 0, upto: int | None = None) -> list[StoredLog]:
        self.pages += 1
        return [
            row
            for row in self.rows
            if row.session_id == session_id and after < row.sequence <= (upto or row.sequence)
        ]

    async def forked_upto(self, session_id: str) -> int:
        del session_id
        return self.copied
