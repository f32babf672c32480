"""One reader's stream of a session: what is kept, what has expired from the record, then what comes."""

from collections.abc import AsyncIterator, Callable
from typing import Self

from api.streams.events import DONE, Event
from api.streams.hub import Following
from api.streams.ids import BEGINNING
from api.streams.kept import Kept
from api.streams.reader import Reader
from api.streams.recorded import Recorded
from api.streams.sieve import Sieve
from api.streams.sources import Asked, Sources


class EventStream:
    """A reader's way through a session's events, each once and in order. Close it in any case."""

    def __init__(self, sources: Sources, asked: Asked, reader: Reader, following: Following) -> None:
        self._hub = sources.hub
        self._asked = asked
        self._reader = reader
        self._following = following
        self._sieve = Sieve(asked.last or BEGINNING, asked.run_id)
        self._kept = Kept(sources, asked, following, self._sieve)
        self._recorded = Recorded(sources, asked)

    @classmethod
    async def open(cls, sources: Sources, asked: Asked) -> Self:
        """Return a stream that knows where to begin, and misses nothing from now on.

        Raises:
            TransientError: Redis cannot be reached.

        """
        stream = cls(sources, asked, *await sources.hub.join(asked.watched, user_id=asked.user_id))
        try:
            await stream._kept.find()
        except BaseException:
            stream.close()
            raise
        return stream

    @property
    def is_done(self) -> bool:
        """Whether the run that was asked for has ended for this reader."""
        return self._sieve.is_done

    async def is_over(self) -> bool:
        """Whether the reader has been sent the end of the run that it asks for already.

        Raises:
            TransientError: the record cannot be reached.

        """
        run_id, last = self._asked.run_id, self._asked.last
        if run_id is None or last is None:
            return False
        # The record may be behind the feed.
        known = [*await self._recorded.end(), *self._kept.with_last()]
        return any(event.name == DONE and event.run_id == run_id and event.id <= last for event in known)

    def close(self) -> None:
        """Stop watching."""
        self._reader.close()
        self._hub.leave(self._following, self._reader)

    def end(self) -> None:
        """Let the stream end after what waits for the reader."""
        self._reader.end()

    def when_ended(self, then: Callable[[], object]) -> None:
        """Call `then` once when the stream shall end, however slow its client is."""
        self._reader.when_ended(then)

    def kept(self) -> AsyncIterator[list[Event]]:
        """Yield what came before now, in parts: rebuilt from the record where it has expired.

        Raises:
            TransientError: Redis or the record cannot be reached; what was yielded holds.

        """
        return self._kept.parts()

    async def coming(self, *, within_s: float) -> bytes | None:
        """Return what is to be sent of what has come since: nothing of what is another run's.

        None tells that nothing has come within the time, or that nothing more will: see `has_ended`.
        """
        batches = await self._reader.take(within_s=within_s)
        return self._sieve.wire(batches) if batches else None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes."""
        return self._reader.has_ended

    async def ended_in_record(self) -> list[Event]:
        """Return the rest of the run that was asked for, where its end never came to the feed.

        To be asked when nothing has come for a while. The stream is done when there is any.

        Raises:
            TransientError: the record cannot be reached.

        """
        end = await self._recorded.end()
        if not any(event.name == DONE for event in end):
            return []
        rest = self._sieve.fresh(await self._recorded.after(self._sieve.last.sequence - 1))
        is_told, self._sieve.is_done = self._sieve.is_done, True
        return rest if is_told else [*rest, *end]
