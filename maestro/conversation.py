"""Speaking to a session: a message goes out, and its run is believed when the record confirms it."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from bus.codec import Codec
from bus.message import Message
from bus.publisher import Delivery
from bus.settings import KafkaSettings, SchemaSettings, TopicSettings
from maestro.clients import KafkaAccess, database
from maestro.settings import load
from schemas import ids
from schemas.errors import ErrorCode, FatalError, PoisonError, TransientError
from schemas.lists import CommandKind, StopReason
from schemas.partition import partition_of
from schemas.records import Record, Run, SessionCommand, UserMessage
from schemas.topics import RUNS, USER_MESSAGES
from stores.postgres.session_logs import SessionLogs
from stores.postgres.settings import PostgresSettings
from stores.redis.settings import RedisSettings
from telemetry.tracing import Trace, derived

_IDLE_READ_S = 1.0
_CONFIRM_EVERY_S = 0.05
"""The record is some hundred milliseconds behind the topic."""

_RETRY_S = 0.5


class Entry(Protocol):
    """What confirmation needs of a recorded log entry."""

    @property
    def term(self) -> int:
        """Term that the entry was decided under."""
        ...


class Sender(Protocol):
    """What publishes messages."""

    async def publish(self, record: Record, *, trace: Trace, partition: int | None = None) -> Delivery:
        """Publish a record and return when it is acknowledged. Raises PoisonError, TransientError."""
        ...


class Reader(Protocol):
    """What reads the topic of runs."""

    async def read(self, *, timeout_s: float) -> Sequence[Message]:
        """Return the next messages, none after `timeout_s`. Raises TransientError."""
        ...


class Head(Protocol):
    """Where the record of a session ends."""

    @property
    def erased(self) -> bool:
        """Whether the session was erased."""
        ...


class Logs(Protocol):
    """The accepted log entries of sessions."""

    async def head(self, session_id: str) -> Head:
        """Return where the session's log stands. Raises TransientError."""
        ...

    async def entries(self, session_id: str, *, after: int = 0, upto: int | None = None) -> Sequence[Entry]:
        """Return the entries with `after` < sequence ≤ `upto`. Raises TransientError."""
        ...


def is_confirmed(run: Run, accepted: Sequence[Entry]) -> bool:
    """Whether the session's log really came to `run`; `accepted` holds the entry of its version, if any.

    A void decision names a term older than that of the entry which stands in its place. A newer term is that
    of a rebuild, which publishes the state of the accepted entry again.
    """
    return any(entry.term <= run.term for entry in accepted)


class Conversation:
    """One session, opened for one message at a time."""

    def __init__(
        self,
        *,
        session_id: str,
        partitions: int,
        publisher: Sender,
        reader: Reader,
        codec: Codec,
        logs: Logs,
    ) -> None:
        self.session_id = session_id
        self.partitions = partitions
        self.partition = partition_of(session_id, partitions)
        self.last_seen: Run | None = None
        """Newest state of the awaited run, confirmed or not: for telling where it stands."""
        self.trouble: str | None = None
        """Why the answer could not be looked for lately."""
        self._publisher = publisher
        self._reader = reader
        self._codec = codec
        self._logs = logs
        self._unread: deque[Message] = deque()

    async def send(self, message: UserMessage) -> Delivery:
        """Publish a message of this session; it must carry an id.

        Raises:
            PoisonError: it is too large, or the session was erased; nothing was sent.
            TransientError: no acknowledgement in time, so that it may arrive all the same; or the record
                cannot be reached.

        """
        if (await self._logs.head(self.session_id)).erased:
            # It would be acknowledged without a run: an answer would be waited for in vain.
            text = f"session {self.session_id} was erased, and nobody answers there; begin a new one"
            raise PoisonError(text, code=ErrorCode.ERASED)
        return await self._publisher.publish(
            message, trace=derived(str(message.id)), partition=self.partition
        )

    async def cancel(self, run_id: str, *, user_id: str, reason: str) -> None:
        """Ask the session to cancel a run; what comes of it is the run's terminal state.

        Raises:
            TransientError: no acknowledgement in time.

        """
        await self._command(CommandKind.CANCEL, run_id, user_id=user_id, reason=reason)

    async def decide(
        self, run_id: str, tool_call_id: str, *, user_id: str, is_approved: bool, reason: str | None
    ) -> None:
        """Answer the question whether a tool call may start; the stages of the run tell what came of it.

        Raises:
            TransientError: no acknowledgement in time.

        """
        kind = CommandKind.APPROVE if is_approved else CommandKind.DENY
        await self._command(kind, run_id, user_id=user_id, reason=reason, step_id=tool_call_id)

    async def _command(
        self, kind: CommandKind, run_id: str, *, user_id: str, reason: str | None, step_id: str | None = None
    ) -> None:
        command = SessionCommand(
            id=ids.new_id(),
            session_id=self.session_id,
            user_id=user_id,
            kind=kind,
            run_id=run_id,
            step_id=step_id,
            reason=reason,
        )
        _ = await self._publisher.publish(command, trace=derived(str(command.id)), partition=self.partition)

    async def outcome(self, run_id: str) -> Run:
        """Wait for the run's end and return it. It waits for ever: set a deadline around it.

        Raises:
            FatalError: Kafka or the record refuses us.

        """
        ended: list[Run] = []
        while True:
            try:
                wait_s = _CONFIRM_EVERY_S if ended else _IDLE_READ_S
                self._unread += await self._reader.read(timeout_s=wait_s)
                while self._unread:
                    # It stays where its schema is still looked up: a worker may be newer than this program.
                    self._take(self._unread[0], run_id, ended)
                    _ = self._unread.popleft()
                # The newest first: a void state may stand before the true one, never after it for long.
                for run in reversed(ended):
                    if await self._is_recorded(run):
                        return run
                self.trouble = None
            except TransientError as error:
                self.trouble = error.message
                await asyncio.sleep(_RETRY_S)

    async def _is_recorded(self, run: Run) -> bool:
        entries = await self._logs.entries(self.session_id, after=run.version - 1, upto=run.version)
        if run.stop_reason is StopReason.ERASED and not entries:
            # The entry that would confirm it is gone with all others.
            return (await self._logs.head(self.session_id)).erased
        return is_confirmed(run, entries)

    def _take(self, message: Message, run_id: str, ended: list[Run]) -> None:
        try:
            run = self._codec.decode(RUNS, message.value)
        except PoisonError:
            return  # not ours: ours were encoded by this very codec
        if isinstance(run, Run) and run.id == run_id:
            self.last_seen = run
            if run.status.is_terminal:
                ended.append(run)


@asynccontextmanager
async def conversation(session_id: str) -> AsyncGenerator[Conversation]:
    """Open what speaking to a session needs. From here on no state of its runs is missed.

    Raises:
        SettingsError: the environment does not fit; all problems at once.
        TransientError: Kafka or the record cannot be reached, or topics are missing.
        FatalError: Kafka or the record refuses us.

    """
    _ = load(KafkaSettings, TopicSettings, SchemaSettings, PostgresSettings, RedisSettings)
    kafka = await KafkaAccess.from_environment()
    async with AsyncExitStack() as stack:
        partitions = kafka.topics.partitions
        theirs = [partition_of(session_id, partitions)]
        reader = await stack.enter_async_context(kafka.reader(RUNS, partitions=theirs))
        publisher = await stack.enter_async_context(kafka.publisher())
        found = await publisher.partitions(kafka.names.full(USER_MESSAGES))
        if found != partitions:
            message = (
                f"topics have {found} partitions, not {partitions}: set MAESTRO_TOPIC_PARTITIONS={found}"
            )
            raise FatalError(message)
        record = await stack.enter_async_context(database())
        yield Conversation(
            session_id=session_id,
            partitions=partitions,
            publisher=publisher,
            reader=reader,
            codec=kafka.codec,
            logs=SessionLogs(record),
        )
