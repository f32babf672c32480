"""Offsets in the transaction of the rows: a process that lost a partition fails here and writes nothing."""

from collections.abc import Sequence

from sinks.errors import OvertakenError
from sinks.ports import Batch
from stores.postgres.pool import Transaction
from stores.postgres.statements import statements


async def move_offsets(transaction: Transaction, sink: str, batches: Sequence[Batch]) -> None:
    """Move the sink's offsets by compare-and-set; to be done first in the transaction.

    Raises:
        OvertakenError: a partition does not stand where it should: another process moved it.

    """
    moves = [(batch.topic, move) for batch in batches for move in batch.moves]
    moved = await transaction.execute(
        statements("progress")["move"],
        sink,
        [topic for topic, _ in moves],
        [move.partition for _, move in moves],
        [move.first for _, move in moves],
        [move.next for _, move in moves],
    )
    if moved != len(moves):
        message = f"{len(moves) - moved} of {len(moves)} partitions were moved by another process"
        raise OvertakenError(message)
