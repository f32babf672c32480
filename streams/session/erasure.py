"""What an erased session leaves in Redis besides its context: its steps' journal values, its live feed."""

from collections.abc import Iterator

from schemas import ids
from streams.session.context import Context
from streams.session.ports import Feeds, RecordedSteps, StepValues


class Erasure:
    """Deletes it. The record's rows are the sinks' part; they learn of it from the log."""

    def __init__(self, *, steps: RecordedSteps, values: StepValues, feeds: Feeds) -> None:
        self._steps = steps
        self._values = values
        self._feeds = feeds

    async def forget_steps(self, partition: int, before: Context) -> None:
        """Delete the journal's values of all steps that the record or the context `before` the erasure knows.

        To be called before the stub is stored: afterwards nobody knows the steps. Doing it in vain is
        harmless: they are looked up in the record. A step that works at this moment may still leave
        its value, until the journal drops it by its age.

        Raises:
            TransientError: Redis or Postgres is away.

        """
        known = await self._steps.of_session(before.session_id)
        await self._values.forget(partition, sorted({*known, *_steps_of(before)}))

    async def forget_feed(self, partition: int, session_id: str) -> None:
        """Delete the feed. Raises TransientError."""
        await self._feeds.delete(partition, session_id)


def _steps_of(context: Context) -> Iterator[str]:
    yield from (step.step_id for step in context.pending)
    yield from context.abandoned
    yield from (call.id for message in context.messages for call in message.calls)
    if context.run is not None:
        yield from (ids.generation_id(context.run.id, index) for index in range(context.run.next_index))
