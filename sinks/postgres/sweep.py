"""The second half of an erasure: rows that raced with the first deletion, then tombstones."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from bus.message import Place
from schemas.partition import partition_of
from stores.postgres.erased import ErasedSessions, Unswept
from stores.postgres.pool import Database, Transaction
from telemetry.logs import logger

_AT_ONCE = 50
_log = logger(__name__)


class Ends(Protocol):
    """Tells where partitions end."""

    async def end_offsets(self, places: Iterable[Place]) -> Mapping[Place, int]:
        """Return the offset after the last message of each place."""
        ...


class Tombstones(Protocol):
    """Takes raw messages."""

    async def send_raw(
        self,
        topic: str,
        *,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> object:
        """Publish bytes as they are; returns when the broker has them."""
        ...


class Sweep:
    """Brings erasures to their end. `topics` are all recorded ones, `compacted` those that get tombstones.

    Where the topics end is asked after the erasure was committed: whatever is read from beyond those places
    is judged by a transaction that sees it. What was in flight before them is deleted when every sink has
    passed them.
    """

    def __init__(
        self,
        database: Database,
        *,
        ends: Ends,
        tombstones: Tombstones,
        topics: Sequence[str],
        compacted: Sequence[str],
        partitions: int,
    ) -> None:
        self._database = database
        self._ends = ends
        self._tombstones = tombstones
        self._topics = topics
        self._compacted = compacted
        self._partitions = partitions
        self._erased = ErasedSessions()

    async def __call__(self) -> None:
        """Take every erasure that can go on one step further.

        Raises:
            TransientError: the database or Kafka cannot answer now; call again.

        """
        async with self._database.transaction() as transaction:
            for session in await self._erased.unswept(transaction, _AT_ONCE):
                partition = partition_of(session.session_id, self._partitions)
                if session.ends is None:
                    await self._note_ends(transaction, session, partition)
                elif await self._erased.are_passed(transaction, partition, session.ends):
                    await self._finish(transaction, session, partition)

    async def _note_ends(self, transaction: Transaction, session: Unswept, partition: int) -> None:
        found = await self._ends.end_offsets([(topic, partition) for topic in self._topics])
        ends = {topic: end for (topic, _), end in found.items()}
        await self._erased.note_ends(transaction, session.session_id, ends)

    async def _finish(self, transaction: Transaction, session: Unswept, partition: int) -> None:
        await self._erased.delete_rows(transaction, [session.session_id])
        for topic in self._compacted:
            key = session.session_id.encode()
            await self._tombstones.send_raw(topic, partition=partition, key=key, value=None, headers=[])
        await self._erased.mark_swept(transaction, session.session_id)
        _log.info("nothing is left of an erased session", session=session.session_id)
