"""The role of a paid step as the runtime sees it: one topic, no order, joined by step, nothing lost."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from bus.codec import Codec
from bus.deadletter import REASON, DeadLetters
from bus.headers import headers_of
from bus.names import TopicNames
from bus.publisher import Delivery
from schemas.errors import ErrorCode, MaestroError, PoisonError
from schemas.examples import GENERATION_REQUEST
from schemas.records import AnyRecord, ToolCall
from schemas.topics import GENERATION_REQUESTS, TOOL_CALLS, TopicSpec
from streams.execute.job import ExecuteJob
from streams.journal_settings import JournalSettings
from streams.journaled import StepMachine
from streams.journaled_role import JournaledRole
from streams.runtime.attempt import attempt
from streams.runtime.record import Record
from streams.runtime.runner import Runner
from streams.runtime.settings import RuntimeSettings
from streams.runtime.ticket import Outcome
from telemetry import points
from telemetry.tracing import Trace, derived
from tests.unit.streams.paid_world import OncePort, Ports, Process, World, away

CODEC = Codec()
NAMES = TopicNames("test.")
TOPIC = NAMES.full(TOOL_CALLS)
TRACE = derived("x")
PARTITION = 0
Sent = dict[str, Any]


@dataclass
class FakeSender:
    """Keeps what is sent; raises `errors` first."""

    sent: list[Sent] = field(default_factory=list[Sent])
    errors: list[MaestroError] = field(default_factory=list[MaestroError])

    async def send_raw(
        self,
        topic: str,
        *,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> Delivery:
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append(
            {"topic": topic, "partition": partition, "key": key, "value": value, "headers": dict(headers)}
        )
        return Delivery(topic, partition, len(self.sent), 0)


@dataclass
class Seen:
    """A role of the world's tool, and what it asks for jobs."""

    world: World = field(default_factory=World)
    process: Process = field(default_factory=Process)
    sender: FakeSender = field(default_factory=FakeSender)
    traces: list[Trace] = field(default_factory=list[Trace])
    ports: Ports = field(init=False)

    def __post_init__(self) -> None:
        self.ports = Ports(self.world, self.process)

    def role(self, decoder: Any = CODEC) -> JournaledRole[ToolCall]:
        machine = StepMachine(
            journal=self.ports,
            once_claims=OncePort(self.ports),
            barrier=self.ports,
            erasures=self.ports,
            publisher=self.ports,
            settings=JournalSettings(),
            now_ms=lambda: self.world.now_ms,
        )
        return JournaledRole(
            spec=TOOL_CALLS,
            topic=TOPIC,
            request=ToolCall,
            job_of=self._job_of,
            machine=machine,
            decoder=decoder,
            dead_letters=DeadLetters(self.sender, NAMES),
            stage="execute",
        )

    def _job_of(self, request: ToolCall, record: Record, trace: Trace) -> ExecuteJob:
        self.traces.append(trace)
        assert (request.id, record.partition) == ("step", PARTITION)
        return self.world.job(self.ports)

    def message(self, value: bytes | None = None, *, with_headers: bool = True) -> Record:
        """Return the world's call as it lies on its topic, or another value in its place."""
        call = self.world.call_record
        headers = headers_of(call, trace=TRACE, source=b"/test") if with_headers else ()
        value = CODEC.encode(call) if value is None else value
        return Record(TOPIC, PARTITION, 7, 1, b"key", value, tuple(headers))


def test_a_role_reads_its_topic_without_order() -> None:
    seen = Seen()
    assert seen.role().topics == ("test.tool-calls",)
    assert seen.role().lane(seen.message()) is None


def test_messages_of_one_step_are_joined_by_its_id() -> None:
    seen = Seen()
    assert seen.role().join_key(seen.message()) == b"step"
    assert seen.role().join_key(seen.message(with_headers=False)) is None


async def test_a_request_is_worked_at_and_its_result_published_in_its_trace() -> None:
    seen = Seen()
    assert await attempt(seen.role(), seen.message()) is Outcome.DONE
    assert [result.tool_call_id for result in seen.world.published] == ["step"]
    assert seen.traces == [TRACE]
    assert seen.sender.sent == []


async def test_a_request_without_a_trace_gets_the_one_of_its_id_every_time() -> None:
    seen = Seen()
    for _ in range(2):
        _ = await attempt(seen.role(), seen.message(with_headers=False))
    assert seen.traces == [derived("step")] * 2


async def test_a_store_that_is_away_is_tried_again_and_nothing_is_buried() -> None:
    seen = Seen(process=Process(1, away))
    assert await attempt(seen.role(), seen.message()) is Outcome.RETRY
    assert seen.sender.sent == []
    assert await attempt(seen.role(), seen.message()) is Outcome.DONE


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "undecodable"),
        (b"\x00\x7f\xff\xff\xff\x00", "unknown_schema"),
        (b"\x01whatever", "undecodable"),
        (CODEC.encode(World().call_record)[:40], "undecodable"),
    ],
)
async def test_an_unreadable_request_is_kept_whole_with_the_reason(value: bytes, reason: str) -> None:
    seen = Seen()
    message = seen.message(value)
    assert await attempt(seen.role(), message) is Outcome.POISONED
    (letter,) = seen.sender.sent
    assert (letter["topic"], letter["partition"]) == ("test.dead-letters", PARTITION)
    assert (letter["key"], letter["value"]) == (message.key, value)
    assert letter["headers"][REASON] == reason.encode()
    assert letter["headers"]["__connect.errors.stage"] == b"execute"
    assert letter["headers"]["__connect.errors.offset"] == b"7"
    assert letter["headers"]["ce_id"] == b"step"
    assert seen.world.calls == 0


async def test_a_deletion_on_the_topic_is_no_request() -> None:
    seen = Seen()
    message = Record(TOPIC, PARTITION, 7, 1, b"key", None)
    assert await attempt(seen.role(), message) is Outcome.POISONED
    assert seen.sender.sent[0]["value"] is None


class OfAnotherTopic:
    """A decoder that returns another record than the topic carries."""

    def decode(self, spec: TopicSpec, value: bytes | None) -> AnyRecord:
        _ = spec, value
        return CODEC.decode(GENERATION_REQUESTS, CODEC.encode(GENERATION_REQUEST))


async def test_a_record_of_another_topic_is_kept_as_a_mistake_of_the_program() -> None:
    seen = Seen()
    assert await attempt(seen.role(OfAnotherTopic()), seen.message()) is Outcome.POISONED
    headers = seen.sender.sent[0]["headers"]
    assert headers[REASON] == b"handler_error"
    assert b"carries ToolCall, not GenerationRequest" in headers["__connect.errors.exception.message"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PoisonError("no"), "invalid"),
        (PoisonError("no", code=ErrorCode.TOO_LARGE), "too_large"),
        (PoisonError("no", code=ErrorCode.DEADLINE), "handler_error"),
        (MaestroError("no"), "handler_error"),
        (ZeroDivisionError(), "handler_error"),
    ],
)
async def test_the_reason_is_the_errors_code_where_there_is_such_a_reason(
    error: Exception, reason: str
) -> None:
    seen = Seen()
    await seen.role().on_poison(seen.message(), error)
    headers = seen.sender.sent[0]["headers"]
    assert headers[REASON] == reason.encode()
    assert headers["__connect.errors.exception.message"]


async def test_a_request_that_cannot_even_be_buried_is_not_lost() -> None:
    seen = Seen(sender=FakeSender(errors=[away()]))
    assert await attempt(seen.role(), seen.message(b"")) is Outcome.RETRY
    assert await attempt(seen.role(), seen.message(b"")) is Outcome.POISONED
    assert len(seen.sender.sent) == 1


async def test_gaining_and_losing_partitions_needs_nothing() -> None:
    seen = Seen()
    await seen.role().on_assigned(frozenset({0}))
    await seen.role().on_revoked(frozenset({0}))
    assert seen.process.places == []


async def test_a_step_passes_the_named_points_of_its_role_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed: list[str] = []

    async def note(name: str) -> None:
        passed.append(name)

    monkeypatch.setattr(points, "ENABLED", note)
    seen = Seen()
    _ = await attempt(seen.role(), seen.message())
    assert passed == [name for name in points.POINTS if name.startswith("execute.")]


class Member:
    """A process of the group: a runner with a role of its own over the world's stores."""

    def __init__(self, world: World) -> None:
        self.acknowledged: list[int] = []
        self.failures: list[BaseException] = []
        self.seen = Seen(world)
        self.runner = Runner(
            self.seen.role(),
            RuntimeSettings(),
            acknowledge=lambda _, offset: self.acknowledged.append(offset),
            pause=lambda _: None,
            resume=lambda _: None,
            fail=self.failures.append,
        )

    async def gets(self, *partitions: int, generation: int) -> None:
        """Live through a rebalance."""
        self.runner.revoking()
        await self.runner.assigned(frozenset((TOPIC, number) for number in partitions), generation)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - what is waited for gives no sign
            await asyncio.sleep(0.005)


async def test_a_call_whose_partition_goes_elsewhere_is_made_once_and_ends_where_it_runs() -> None:
    gate = asyncio.Event()
    world = World(during_work=gate.wait)
    first, second = Member(world), Member(world)
    await first.gets(PARTITION, generation=1)
    await first.runner.dispatch([first.seen.message()], 1)
    await until(lambda: world.calls == 1)
    await first.gets(generation=2)
    await second.gets(PARTITION, generation=2)
    await second.runner.dispatch([second.seen.message()], 2)
    await asyncio.sleep(0.05)
    assert second.runner.in_flight == 0, "it waits for the result without holding a slot"
    gate.set()
    await until(lambda: second.acknowledged == [8] and first.runner.unfinished == 0)
    assert world.calls == 1
    assert first.acknowledged == []
    assert {each.tool_call_id for each in world.published} == {"step"}
    assert not first.failures + second.failures
