"""Waiting for runs: one reader of the topic of runs for all who wait in this process."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field
from itertools import chain, repeat
from types import TracebackType
from typing import Any, Final, Protocol, Self

import orjson

from bus.codec import Codec
from bus.message import Message
from schemas.errors import ErrorCode, FatalError, MaestroError, PoisonError, TransientError
from schemas.lists import Action, RunStatus
from schemas.partition import partition_of
from schemas.records import Run
from schemas.topics import RUNS
from stores.postgres.session_logs import Head
from stores.redis.feed_watch import FeedRecord
from telemetry.logs import logger

_READ_S: Final = 1.0
_RETRY_S: Final = 0.5
_NEWEST: Final = (2, 20)
"""Entries of a live feed in which the end of a run that ended just now is looked for, first and later on."""

_FIRST_LOOK_S: Final = 0.25
_CALM_LOOK_S: Final = 10.0
_LONGEST_LOOK_S: Final = 15.0
"""Pauses between looks into the record: the topic tells at once, unless it told before we listened."""

_CONFIRM_PAUSE_S: Final = 0.05

_END_OF: Final = {
    RunStatus.COMPLETED: Action.RUN_COMPLETED,
    RunStatus.FAILED: Action.RUN_FAILED,
    RunStatus.CANCELLED: Action.RUN_CANCELLED,
    RunStatus.REJECTED: Action.MESSAGE_REJECTED,
}

_log = logger(__name__)


class RunTopic(Protocol):
    """Reads the topic of runs from its end."""

    async def read(self, *, timeout_s: float) -> Sequence[Message]:
        """Return the next messages, none after `timeout_s`. Raises TransientError, FatalError."""
        ...


class Ends(Protocol):
    """The newest entries of live feeds."""

    async def newest(self, partition: int, session_id: str, *, count: int) -> Sequence[FeedRecord]:
        """Return the newest entries, the newest first. Raises TransientError."""
        ...


class Heads(Protocol):
    """Where the logs of sessions stand in the record."""

    async def head(self, session_id: str) -> Head:
        """Return where a session's log stands. Raises TransientError."""
        ...


class RecordedRuns(Protocol):
    """The runs that the record accepted, each for its user."""

    async def run(self, user_id: str, run_id: str) -> Run | None:
        """Return the newest accepted state of a run. Raises TransientError."""
        ...


@dataclass(slots=True, eq=False)
class Waiting:
    """Somebody waits for a run. Forgotten with its `Ticket`."""

    user_id: str
    session_id: str
    run_id: str
    is_late: bool
    ended: asyncio.Future[Run]
    when_told: Callable[[Run], object] | None
    """Called once when the topic tells an end, before it is confirmed."""
    last_seen: Run | None = None
    """Its newest state on the topic, confirmed or not."""
    confirming: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])


class RunWaiter:
    """Hands ends of runs to who waits for them. Use as `async with`."""

    def __init__(
        self,
        topic: AbstractAsyncContextManager[RunTopic],
        *,
        codec: Codec,
        feeds: Ends,
        record: RecordedRuns,
        heads: Heads,
        partitions: int,
    ) -> None:
        self._topic = topic
        self._codec = codec
        self._feeds = feeds
        self._record = record
        self._heads = heads
        self._partitions = partitions
        self._waiting: dict[bytes, set[Waiting]] = {}
        self._stack = AsyncExitStack()
        self._reading: asyncio.Task[None] | None = None
        self._failure: FatalError | None = None

    async def __aenter__(self) -> Self:
        """Connect: from here on no end of a run is missed. Raises TransientError, FatalError."""
        reader = await self._stack.enter_async_context(self._topic)
        self._reading = asyncio.create_task(self._read(reader), name="run waiter")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop reading. Who still waits waits in vain."""
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading
        await self._stack.aclose()

    def trouble(self) -> str | None:
        """Return why the topic is not read any more, in a sentence; None while it is."""
        failure = self._failure
        return None if failure is None else f"the topic of runs is not read any more: {failure.message}"

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    def ticket(
        self,
        user_id: str,
        session_id: str,
        run_id: str,
        *,
        is_late: bool,
        when_told: Callable[[Run], object] | None = None,
    ) -> "Ticket":
        """Return a place to wait for a run; take it before the message is published, use it as `with`.

        `is_late`: the message may have been published before, so that the end may have been told already.
        `when_told` is called when the topic tells an end, while it is being confirmed: what an answer needs
        can be done meanwhile.
        """
        ended: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
        return Ticket(self, Waiting(user_id, session_id, run_id, is_late, ended, when_told))

    def add(self, waiting: Waiting) -> None:
        """Begin to listen for a run."""
        self._waiting.setdefault(waiting.session_id.encode(), set()).add(waiting)

    def remove(self, waiting: Waiting) -> None:
        """Forget who waits."""
        key = waiting.session_id.encode()
        others = self._waiting.get(key)
        if others is not None:
            others.discard(waiting)
            if not others:
                del self._waiting[key]
        for task in waiting.confirming:
            task.cancel()

    async def look(self, waiting: Waiting) -> None:
        """Look into the record for what is waited for. Raises TransientError."""
        run = await self._record.run(waiting.user_id, waiting.run_id)
        if run is not None and run.status.is_terminal:
            _resolve(waiting, run)
        elif run is None and (await self._heads.head(waiting.session_id)).erased:
            _refuse(waiting)

    async def _read(self, reader: RunTopic) -> None:
        unread: deque[Message] = deque()
        while True:
            try:
                unread += await reader.read(timeout_s=_READ_S)
                while unread:
                    # It stays where its schema is still looked up: a worker may be newer than this program.
                    self._take(unread[0])
                    _ = unread.popleft()
            except TransientError as error:
                _log.warning("runs_not_read", error=error.message)
                await asyncio.sleep(_RETRY_S)
            except FatalError as error:
                _log.error("runs_not_read_any_more", code=error.code, error=error.message)
                self._failure = error
                return

    def _take(self, message: Message) -> None:
        # By the key, before anything is decoded: most runs are waited for by nobody here.
        wanted = self._waiting.get(message.key or b"")
        if not wanted:
            return
        try:
            run = self._codec.decode(RUNS, message.value)
        except PoisonError:
            return
        if not isinstance(run, Run):
            return
        for waiting in tuple(wanted):
            if waiting.run_id == run.id and waiting.user_id == run.user_id:
                waiting.last_seen = run
                if run.status.is_terminal and not waiting.ended.done():
                    then, waiting.when_told = waiting.when_told, None
                    if then is not None:
                        then(run)
                    task = asyncio.create_task(self._confirm(waiting, run), name="confirm a run")
                    waiting.confirming.add(task)
                    task.add_done_callback(waiting.confirming.discard)

    async def _confirm(self, waiting: Waiting, run: Run) -> None:
        """Believe an end of the topic when the feed or the record has it: one that was overtaken may lie."""
        counts = chain(_NEWEST, repeat(_NEWEST[-1]))
        while not waiting.ended.done():
            with suppress(MaestroError):
                if await self._is_in_feed(run, count=next(counts)):
                    _resolve(waiting, run)
                    return
            with suppress(MaestroError):
                await self.look(waiting)
            await asyncio.sleep(_CONFIRM_PAUSE_S)

    async def _is_in_feed(self, run: Run, *, count: int) -> bool:
        partition = partition_of(run.session_id, self._partitions)
        records = await self._feeds.newest(partition, run.session_id, count=count)
        return any(is_end_of(run, item.kind, item.data) for record in records for item in record.items)


class Ticket:
    """A place to wait for one run."""

    def __init__(self, waiter: RunWaiter, waiting: Waiting) -> None:
        self._waiter = waiter
        self._waiting = waiting

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._waiter.add(self._waiting)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self._waiter.remove(self._waiting)

    @property
    def last_seen(self) -> Run | None:
        """The run's newest state on the topic, if one came."""
        return self._waiting.last_seen

    async def end(self) -> Run:
        """Wait for the run's end and return it. It waits for ever: set a deadline around it.

        Raises:
            PoisonError: the session was erased, so that nobody answers.

        """
        waiting = self._waiting
        pause_s = _FIRST_LOOK_S if waiting.is_late else _CALM_LOOK_S
        if waiting.is_late:
            await self._look()
        while not waiting.ended.done():
            _ = await asyncio.wait([waiting.ended], timeout=pause_s)
            if not waiting.ended.done():
                await self._look()
                pause_s = min(2 * pause_s, _LONGEST_LOOK_S)
        return waiting.ended.result()

    async def _look(self) -> None:
        with suppress(TransientError):
            await self._waiter.look(self._waiting)


def is_end_of(run: Run, kind: str, data: bytes) -> bool:
    """Whether an entry of the live feed says that `run` ended as it says itself. Pure.

    The feed is written together with the decision, so what stands there was decided.
    """
    if kind != "stage":
        return False
    stage: Any = orjson.loads(data)
    return (
        stage.get("run_id") == run.id
        and stage.get("sequence") == run.version
        and stage.get("stage") == _END_OF.get(run.status)
    )


def _resolve(waiting: Waiting, run: Run) -> None:
    if not waiting.ended.done():
        waiting.ended.set_result(run)


def _refuse(waiting: Waiting) -> None:
    if not waiting.ended.done():
        message = f"session {waiting.session_id} was erased, and nobody answers there; begin a new one"
        waiting.ended.set_exception(PoisonError(message, code=ErrorCode.ERASED))
        _ = waiting.ended.exception()  # nobody may be waiting any more
