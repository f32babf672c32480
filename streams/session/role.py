"""The session role: which messages it takes, in which lanes, and what becomes of unreadable ones."""

from collections.abc import Hashable

from bus.redrive import is_redriven
from schemas.errors import ErrorCode, FatalError, MaestroError, PoisonError
from schemas.lists import DeadLetterReason
from schemas.records import Record
from schemas.topics import GENERATIONS, SESSION_COMMANDS, TIMERS, TOOL_RESULTS, USER_MESSAGES, TopicSpec
from streams.phase import next_phase
from streams.runtime.record import Record as Message
from streams.session.event import Event, EventRecord
from streams.session.forward import forward, is_misplaced
from streams.session.identity import place_id
from streams.session.in_flight import InFlight
from streams.session.ports import DeadLetters, Decoder, Publisher, TopicNames
from streams.session.step import SessionStep
from streams.session.timer_loop import TimerLoop
from telemetry.logs import StepIds, bind_step
from telemetry.tracing import Trace, derived, parse

INPUTS: tuple[TopicSpec, ...] = (USER_MESSAGES, SESSION_COMMANDS, TIMERS, GENERATIONS, TOOL_RESULTS)
"""What the session step reads."""

_STAGE = "session"
_REASONS = {
    ErrorCode.UNDECODABLE: DeadLetterReason.UNDECODABLE,
    ErrorCode.UNKNOWN_SCHEMA: DeadLetterReason.UNKNOWN_SCHEMA,
    ErrorCode.INVALID: DeadLetterReason.INVALID,
    ErrorCode.TOO_LARGE: DeadLetterReason.TOO_LARGE,
}
"""Anything else that a step cannot get over is our own error."""


class SessionRole:
    """The runtime's role for sessions. The lane is the key: the session id, where it is well placed."""

    def __init__(
        self,
        *,
        step: SessionStep,
        timer_loop: TimerLoop,
        decoder: Decoder,
        publisher: Publisher,
        dead_letters: DeadLetters,
        in_flight: InFlight,
        names: TopicNames,
        partitions: int,
    ) -> None:
        """`partitions` is the number that every topic has."""
        self._step = step
        self._timer_loop = timer_loop
        self._decoder = decoder
        self._publisher = publisher
        self._dead_letters = dead_letters
        self._in_flight = in_flight
        self._names = names
        self._partitions = partitions

    @property
    def topics(self) -> tuple[str, ...]:
        """Full names of the inputs."""
        return tuple(self._names.full(spec) for spec in INPUTS)

    def lane(self, record: Message) -> Hashable | None:
        """Return the key; messages without one share a lane per partition, as they are only sent on."""
        return record.key or ("no key", record.partition)

    def join_key(self, record: Message) -> Hashable | None:
        """Return None: a second message with the same id finds the first one in the context."""
        del record

    async def step(self, record: Message) -> None:
        """Apply one message to its session, or send it on to where it belongs.

        Raises:
            PoisonError: it cannot be read.
            TransientError: something is away; to be called again.
            FatalError: the subscription is wrong.

        """
        event, trace = self._read(record)
        run_id: str | None = getattr(event.record, "run_id", None)
        bind_step(StepIds(event.trace_id, event.session_id, run_id, event.id))
        if is_misplaced(record, event.session_id, partitions=self._partitions):
            await forward(self._publisher, record, event, trace=trace, partitions=self._partitions)
            return
        await next_phase()
        with self._in_flight.step(record.partition):
            await self._step.run(event)

    async def on_poison(self, record: Message, error: Exception) -> None:
        """Dead-letter a message with the reason."""
        code = error.code if isinstance(error, PoisonError) else ErrorCode.HANDLER_ERROR
        message = error.message if isinstance(error, MaestroError) else f"{type(error).__name__}: {error}"
        await self._dead_letters.put(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key,
            value=record.value,
            headers=record.headers,
            reason=_REASONS.get(code, DeadLetterReason.HANDLER_ERROR),
            message=message,
            stage=_STAGE,
        )

    async def on_assigned(self, partitions: frozenset[int]) -> None:
        """Tend the timers of the partitions owned now, of no others."""
        await self._timer_loop.tend(partitions)

    async def on_revoked(self, partitions: frozenset[int]) -> None:
        """Leave the timers of these partitions to their next owner."""
        await self._timer_loop.stop(partitions)

    async def stop(self) -> None:
        """End what the role runs besides its steps."""
        await self._timer_loop.stop()

    def _read(self, message: Message) -> tuple[Event, Trace]:
        spec = self._names.spec_of(message.topic)
        if spec is None:
            problem = f"{message.topic} is not a topic of the session step: its subscription is wrong"
            raise FatalError(problem)
        if message.value is None:
            problem = f"a message of {spec.name} without a value says nothing: send a record"
            raise PoisonError(problem, code=ErrorCode.UNDECODABLE)
        record = _event_record(self._decoder.decode(spec, message.value), spec)
        identity = record.id or place_id(
            spec, message.partition, message.offset, headers=message.headers, names=self._names
        )
        trace = parse(message.headers) or derived(identity)
        event = Event(
            id=identity,
            topic=spec.name,
            partition=message.partition,
            offset=message.offset,
            at_ms=message.timestamp_ms,
            trace_id=trace.trace_id,
            record=record,
            # Only the newest commands are remembered by the session; a dead letter may come back much later.
            is_redriven=spec is SESSION_COMMANDS and is_redriven(message.headers),
        )
        return event, trace


def _event_record(record: Record, spec: TopicSpec) -> EventRecord:
    if isinstance(record, EventRecord):
        return record
    problem = f"{spec.name} is not an input of the session step: its subscription is wrong"
    raise FatalError(problem)
