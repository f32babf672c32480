"""How far has a sink come? Asked by barriers, answered from the offsets that move with the rows."""

from collections.abc import Sequence

from stores.postgres.pool import Database
from stores.postgres.statements import statements

POSTGRES_SINK = "postgres"
"""Name of the sink that keeps the record."""


class Progress:
    """Next offsets of one sink."""

    def __init__(self, database: Database, *, sink: str = POSTGRES_SINK) -> None:
        self._database = database
        self._sink = sink
        self._sql = statements("progress")

    async def next_offsets(self, pairs: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return the next offset of each (full topic name, partition); 0 where the sink has never been.

        Everything below it is in the record, was superseded or void, or is a dead letter.
        """
        topics = [topic for topic, _ in pairs]
        partitions = [partition for _, partition in pairs]
        rows = await self._database.fetch(self._sql["next_offsets"], self._sink, topics, partitions)
        found = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        return {pair: found.get(pair, 0) for pair in pairs}

    async def begin(self, pairs: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return the next offset of each pair, as `next_offsets`, so that it can be moved from there."""
        topics = [topic for topic, _ in pairs]
        partitions = [partition for _, partition in pairs]
        await self._database.execute(self._sql["begin"], self._sink, topics, partitions)
        return await self.next_offsets(pairs)
