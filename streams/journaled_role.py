"""The role of a paid step for the runtime: decode the request, run its job, dead-letter the unreadable."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar

from schemas.errors import ErrorCode, MaestroError
from schemas.lists import DeadLetterReason
from schemas.records import AnyRecord
from schemas.records import Record as Value
from schemas.topics import TopicSpec
from streams.journaled import StepMachine
from streams.journaled_ports import Job
from streams.phase import next_phase
from streams.runtime.record import Record
from telemetry.logs import StepIds, bind_step
from telemetry.tracing import Trace, derived, parse

_ID_HEADER = "ce_id"

Q = TypeVar("Q", bound=Value)


class Decoder(Protocol):
    """Bytes to records."""

    def decode(self, spec: TopicSpec, value: bytes | None) -> AnyRecord:
        """Return the record. Raises PoisonError."""
        ...


class DeadLetters(Protocol):
    """Where messages go that cannot be processed."""

    async def put(
        self,
        *,
        topic: str,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
        reason: DeadLetterReason,
        message: str,
        stage: str,
    ) -> None:
        """Keep a message with the reason."""
        ...


class JournaledRole(Generic[Q]):
    """Requests of one topic, in no order; `job_of` says what one request asks for."""

    def __init__(
        self,
        *,
        spec: TopicSpec,
        topic: str,
        request: type[Q],
        job_of: Callable[[Q, Record, Trace], Job[Any]],
        machine: StepMachine,
        decoder: Decoder,
        dead_letters: DeadLetters,
        stage: str,
    ) -> None:
        self._spec = spec
        self._topic = topic
        self._request = request
        self._job_of = job_of
        self._machine = machine
        self._decoder = decoder
        self._dead_letters = dead_letters
        self._stage = stage

    @property
    def topics(self) -> tuple[str, ...]:
        """The topic of the requests."""
        return (self._topic,)

    def lane(self, record: Record) -> None:
        """Steps have no order among themselves."""

    def join_key(self, record: Record) -> bytes | None:
        """Return the step id, which is the event id of a request's headers."""
        return next((value for name, value in record.headers if name == _ID_HEADER), None)

    async def step(self, record: Record) -> None:
        """Run the request's job.

        Raises:
            TransientError: something is away; the runtime calls again.
            PoisonError: the request cannot be read; the runtime gives it to `on_poison`.

        """
        request = self._decoder.decode(self._spec, record.value)
        if not isinstance(request, self._request):
            message = f"{self._topic} carries {self._request.__name__}, not {type(request).__name__}"
            raise TypeError(message)
        trace = parse(record.headers) or derived(_identity_of(request, record))
        job = self._job_of(request, record, trace)
        run_id: str | None = getattr(request, "run_id", None)
        bind_step(StepIds(trace.trace_id, job.session_id, run_id, job.step_id))
        await next_phase()
        await self._machine.run(job)

    async def on_poison(self, record: Record, error: Exception) -> None:
        """Keep a request that cannot be processed."""
        await self._dead_letters.put(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key,
            value=record.value,
            headers=record.headers,
            reason=_reason_of(error),
            message=str(error) or type(error).__name__,
            stage=self._stage,
        )

    async def on_assigned(self, partitions: frozenset[int]) -> None:
        """Need nothing: claims are made step by step."""

    async def on_revoked(self, partitions: frozenset[int]) -> None:
        """Need nothing: running steps are finished here under their claims."""


def _identity_of(request: Value, record: Record) -> str:
    return getattr(request, "id", f"{record.topic}/{record.partition}/{record.offset}")


def _reason_of(error: Exception) -> DeadLetterReason:
    if isinstance(error, MaestroError) and error.code is not ErrorCode.UNKNOWN:
        with suppress(ValueError):  # most codes are no reasons
            return DeadLetterReason(error.code.value)
    return DeadLetterReason.HANDLER_ERROR
