"""Vectors in the record as a sink's store: made first, then written with the offsets in one transaction."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from bus.message import Message, Place
from llm.embedding import Embedder
from schemas.lists import DeadLetterReason
from sinks.embeddings.items import Item, Plan, embedded, item_of, newest, pieces_of, plan_of
from sinks.embeddings.settings import EmbeddingsSinkSettings
from sinks.embeddings.vectors import Vectors
from sinks.offsets import move_offsets
from sinks.ports import Batch, Entry, OnRefused, Refused
from stores.postgres.embeddings import EmbeddedPiece, Embeddings, KeptPiece
from stores.postgres.errors import RefusedError
from stores.postgres.pool import Database, Transaction
from stores.postgres.progress import Progress
from telemetry.metrics import SINK_BATCH_SECONDS, SINK_ROWS
from telemetry.points import point

SINK = "embeddings"
_TABLE = "message_embeddings"


class EmbeddingsStore:
    """Writes the vectors of messages and documents."""

    def __init__(self, database: Database, embedder: Embedder, settings: EmbeddingsSinkSettings) -> None:
        self._database = database
        self._table = Embeddings(database)
        self._progress = Progress(database, sink=SINK)
        self._settings = settings
        self._model = embedder.model
        self._vectors = Vectors(embedder)

    async def begin(self, places: Sequence[Place]) -> dict[Place, int]:
        """Return the next offset of each partition; a partition met for the first time begins at 0."""
        return await self._progress.begin(places)

    async def keep_up(self) -> None:
        """Need nothing ahead of time: rows of erased sessions go with the record's."""

    async def write(self, batches: Sequence[Batch], refuse: OnRefused) -> None:
        """Embed what is new and write it, and move the offsets, all or nothing.

        Calls of the model are made before the transaction; what they brought is kept until it is written.
        """
        found = list(self._items(batches))
        plans = await self._plans([item for item, _ in found])
        await self._vectors.fetch(piece.words for plan in plans for piece in plan.new)
        messages = {id(item): entry.message for item, entry in found}
        refused = [
            _refusal(messages[id(plan.item)], reason)
            for plan in plans
            if (reason := self._vectors.why_refused(plan.new)) is not None
        ]
        with SINK_BATCH_SECONDS.labels(SINK).time():
            async with self._database.transaction() as transaction:
                await move_offsets(transaction, SINK, batches)
                written, bad = await self._write_plans(transaction, plans)
                refused += [_refusal(messages[id(plan.item)], reason) for plan, reason in bad]
                if refused:
                    await refuse(refused)
                await point("embeddings.written")
        await point("embeddings.committed")
        self._vectors.forget()
        SINK_ROWS.labels(SINK, _TABLE).inc(written)

    async def _write_plans(
        self, transaction: Transaction, plans: Sequence[Plan]
    ) -> tuple[int, list[tuple[Plan, str]]]:
        """Write the plans; return how many rows were made, and which plans the database refuses, and why."""
        try:
            async with transaction.savepoint():
                written = await self._table.write(transaction, self._model, list(self._rows(plans)))
                await self._table.settle(transaction, [plan.settled for plan in plans if plan.settled])
        except RefusedError as error:
            if len(plans) == 1:
                return 0, [(plans[0], error.message)]
            middle = len(plans) // 2
            first, bad = await self._write_plans(transaction, plans[:middle])
            second, worse = await self._write_plans(transaction, plans[middle:])
            return first + second, [*bad, *worse]
        return written, []

    def _items(self, batches: Sequence[Batch]) -> Iterator[tuple[Item, Entry]]:
        for batch in batches:
            for entry in batch.entries:
                if entry.row is not None:
                    item = item_of(batch.spec, entry.row, shared_owner=self._settings.shared_owner)
                    if item is not None:
                        yield item, entry

    async def _plans(self, items: Sequence[Item]) -> list[Plan]:
        wanted = newest(items)
        if not wanted:
            return []
        erased = await self._table.erased({item.session_id for item in wanted if item.session_id})
        kept: dict[str, dict[int, KeptPiece]] = defaultdict(dict)
        for each in await self._table.known([item.id for item in wanted]):
            kept[each.id][each.chunk] = each
        plans = (
            plan_of(item, pieces_of(item, self._settings), kept[item.id], model=self._model)
            for item in wanted
            if item.session_id not in erased
        )
        return [plan for plan in plans if plan is not None]

    def _rows(self, plans: Sequence[Plan]) -> Iterator[EmbeddedPiece]:
        for plan in plans:
            for piece in plan.new:
                vector = self._vectors.packed.get(piece.words)
                if vector is not None:
                    yield embedded(plan.item, piece, vector)


def _refusal(message: Message, reason: str) -> Refused:
    return Refused(message, DeadLetterReason.REFUSED_BY_STORE, f"cannot be embedded: {reason}")
