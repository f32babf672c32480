"""Waiting for a run: what is believed, and what is waited through."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from bus.codec import Codec
from bus.message import Message
from bus.publisher import Delivery
from maestro.conversation import Conversation
from schemas import ids
from schemas.errors import ErrorCode, PoisonError, TransientError
from schemas.lists import CommandKind, RunStatus, StopReason
from schemas.records import Record, Run, SessionCommand, UserMessage
from stores.postgres.session_logs import Head
from telemetry.tracing import Trace

SESSION = "0197f0a0-0000-7000-8000-000000000001"
RUN = ids.run_id(SESSION, "0197f0a0-0000-7000-8000-000000000002")
CODEC = Codec()
DEADLINE_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Read:
    """A message as the bus returns it."""

    value: bytes | None
    topic: str = "maestro.runs"
    partition: int = 0
    offset: int = 0
    timestamp: int = 0
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()


@dataclass
class Topic:
    """Returns one batch at each call; an error in place of a batch is raised. Then nothing comes."""

    batches: list[list[bytes] | TransientError]

    async def read(self, *, timeout_s: float) -> Sequence[Message]:
        await asyncio.sleep(0 if self.batches else timeout_s)
        batch = self.batches.pop(0) if self.batches else []
        if isinstance(batch, TransientError):
            raise batch
        return [Read(value=value) for value in batch]


@dataclass(frozen=True)
class Entry:
    """A recorded entry."""

    term: int


@dataclass
class Recorded:
    """Terms of the accepted entries, by sequence; `asked` counts the questions."""

    terms: dict[int, int]
    asked: list[int] = field(default_factory=list[int])
    erased: bool = False

    async def head(self, session_id: str) -> Head:
        assert session_id == SESSION
        return Head(0, 0, "", erased=self.erased)

    async def entries(self, session_id: str, *, after: int = 0, upto: int | None = None) -> Sequence[Entry]:
        assert session_id == SESSION
        assert upto is not None
        self.asked.append(upto)
        return [Entry(self.terms[number]) for number in range(after + 1, upto + 1) if number in self.terms]


@dataclass
class Sent:
    """Keeps what is published."""

    records: list[Record] = field(default_factory=list[Record])

    async def publish(self, record: Record, *, trace: Trace, partition: int | None = None) -> Delivery:
        assert trace.trace_id
        self.records.append(record)
        return Delivery("maestro.session-commands", partition or 0, 0, 0)


def run_of(status: RunStatus, *, term: int, version: int, run_id: str = RUN, output: str = "") -> Run:
    return Run(
        id=run_id,
        task_id=ids.task_id(SESSION),
        session_id=SESSION,
        message_id=ids.new_id(),
        user_id="alice",
        status=status,
        input="how many?",
        output=output,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        term=term,
        version=version,
    )


def opened(topic: Topic, record: Recorded, sent: Sent | None = None) -> Conversation:
    return Conversation(
        session_id=SESSION,
        partitions=12,
        publisher=sent or Sent(),
        reader=topic,
        codec=CODEC,
        logs=record,
    )


async def test_nothing_is_sent_to_an_erased_session() -> None:
    record, sent = Recorded({}), Sent()
    message = UserMessage(id=ids.new_id(), session_id=SESSION, user_id="alice", content="hi")

    _ = await opened(Topic([]), record, sent).send(message)
    assert sent.records == [message]

    record.erased = True
    with pytest.raises(PoisonError, match="begin a new one") as refused:
        _ = await opened(Topic([]), record, sent).send(message)
    assert refused.value.code is ErrorCode.ERASED
    assert sent.records == [message]


async def outcome(conversation: Conversation) -> Run:
    async with asyncio.timeout(DEADLINE_S):
        return await conversation.outcome(RUN)


async def test_other_runs_other_states_and_foreign_bytes_are_passed_over() -> None:
    done = run_of(RunStatus.COMPLETED, term=2, version=9)
    batch: list[bytes] = [
        b"not ours",
        CODEC.encode(run_of(RunStatus.COMPLETED, term=2, version=8, run_id=ids.new_id())),
        CODEC.encode(run_of(RunStatus.RUNNING, term=2, version=4)),
        CODEC.encode(done),
    ]

    assert await outcome(opened(Topic([batch]), Recorded({4: 2, 8: 2, 9: 2}))) == done


async def test_a_void_end_is_not_believed_and_the_true_one_is_waited_for() -> None:
    void = run_of(RunStatus.FAILED, term=2, version=6)
    true = run_of(RunStatus.COMPLETED, term=7, version=8, output="42")
    topic = Topic([[CODEC.encode(void)], [], [CODEC.encode(true)]])

    assert (await outcome(opened(topic, Recorded({6: 7, 8: 7})))).output == "42"


async def test_the_record_is_asked_again_until_it_has_the_entry() -> None:
    record = Recorded({})
    conversation = opened(Topic([[CODEC.encode(run_of(RunStatus.COMPLETED, term=2, version=9))]]), record)

    waiting = asyncio.create_task(outcome(conversation))
    async with asyncio.timeout(DEADLINE_S):
        while len(record.asked) < 2:  # noqa: ASYNC110  it gives no sign
            await asyncio.sleep(0.01)
    assert not waiting.done()
    record.terms[9] = 2

    assert (await waiting).version == 9


async def test_trouble_with_kafka_is_waited_through_and_told() -> None:
    done = run_of(RunStatus.COMPLETED, term=2, version=9)
    conversation = opened(Topic([TransientError("Kafka is away"), [CODEC.encode(done)]]), Recorded({9: 2}))

    waiting = asyncio.create_task(outcome(conversation))
    async with asyncio.timeout(DEADLINE_S):
        while conversation.trouble is None:  # noqa: ASYNC110  it gives no sign
            await asyncio.sleep(0.01)

    assert conversation.trouble == "Kafka is away"
    assert await waiting == done


async def test_where_the_run_stands_is_known_while_waiting() -> None:
    conversation = opened(Topic([[CODEC.encode(run_of(RunStatus.WAITING, term=2, version=5))]]), Recorded({}))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            _ = await conversation.outcome(RUN)

    assert conversation.last_seen is not None
    assert conversation.last_seen.status is RunStatus.WAITING


async def test_cancelling_names_the_run_and_who_asks() -> None:
    sent = Sent()

    await opened(Topic([]), Recorded({}), sent).cancel(RUN, user_id="alice", reason="enough")

    (command,) = sent.records
    assert isinstance(command, SessionCommand)
    assert (command.kind, command.session_id, command.run_id) == (CommandKind.CANCEL, SESSION, RUN)
    assert command.user_id == "alice"


async def test_the_end_of_an_erased_session_is_believed_when_the_record_says_so() -> None:
    ended = run_of(RunStatus.CANCELLED, term=2, version=9).model_copy(
        update={"stop_reason": StopReason.ERASED}
    )
    record = Recorded({})
    waiting = asyncio.create_task(outcome(opened(Topic([[CODEC.encode(ended)]]), record)))
    async with asyncio.timeout(DEADLINE_S):
        while len(record.asked) < 2:  # noqa: ASYNC110  it gives no sign
            await asyncio.sleep(0.01)
    assert not waiting.done()
    record.erased = True
    assert await waiting == ended
