"""What the machine of a paid step needs: a journal, the record, a way out, and the job itself."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar, runtime_checkable

from schemas.records import Record
from schemas.topics import TopicSpec
from stores.redis.journal import Busy, Claimed, Done
from telemetry.tracing import Trace

R = TypeVar("R", bound=Record)


class StepJournal(Protocol):
    """Who works at a step, and what came of it."""

    async def claim(self, partition: int, step_id: str, token: str, lease_ms: int) -> Claimed | Done | Busy:
        """Claim a step for one attempt."""
        ...

    async def renew(self, partition: int, step_id: str, token: str, lease_ms: int) -> bool:
        """Renew the lease; False when the token does not hold the step any more."""
        ...

    async def complete(self, partition: int, step_id: str, token: str, value: bytes, keep_ms: int) -> bool:
        """Store the value; False when another token holds the step or it has a value."""
        ...

    async def release(self, partition: int, step_id: str, token: str) -> None:
        """End the own lease."""
        ...


class OnceClaims(Protocol):
    """Who may start a tool that must never start twice; kept in the record."""

    async def claim(self, step_id: str, token: str) -> bool:
        """Claim the only start; True also when this very token has it already."""
        ...


class ResultBarrier(Protocol):
    """The record's progress with the topics of results."""

    async def passed(self, topic: TopicSpec, partition: int) -> None:
        """Wait until the record holds everything that the topic's partition held when this was called."""
        ...


class Erasures(Protocol):
    """Which sessions are erased."""

    async def is_erased(self, session_id: str) -> bool:
        """Tell whether nothing may be done for the session any more."""
        ...


class Publish(Protocol):
    """The way out."""

    async def publish(self, record: Record, *, trace: Trace, partition: int | None = None) -> Any:
        """Send a record and wait for the broker's acknowledgement."""
        ...


class Job(Protocol[R]):
    """One step of one kind."""

    @property
    def role(self) -> str:
        """Role that does it: `generate` or `execute`."""
        ...

    @property
    def step_id(self) -> str:
        """Identity of the work."""
        ...

    @property
    def session_id(self) -> str:
        """Session that asks."""
        ...

    @property
    def partition(self) -> int:
        """Partition of the session."""
        ...

    @property
    def born_ms(self) -> int:
        """When the step was first asked for, in Unix milliseconds of the broker."""
        ...

    @property
    def result_topic(self) -> TopicSpec:
        """Where results go."""
        ...

    @property
    def is_once(self) -> bool:
        """Whether the work must never start twice."""
        ...

    @property
    def trace(self) -> Trace:
        """Trace of the request."""
        ...

    def slot(self) -> AbstractAsyncContextManager[Any]:
        """Return what must be held while the work starts and runs."""
        ...

    async def look_up(self) -> R | None:
        """Return the result that the record has."""
        ...

    async def work(self, attempt_id: str) -> R:
        """Do the work; every outcome that a retry would not mend is a result."""
        ...

    def note_repeated(self, result: R, *, is_certain: bool) -> None:
        """Count work that another attempt had done too, or, when that is not certain, may have done."""
        ...

    def outcome_unknown(self) -> R:
        """Return the result of a once-step that somebody else may have started."""
        ...

    def pack(self, result: R) -> bytes:
        """Return what the journal keeps."""
        ...

    def unpack(self, value: bytes) -> R:
        """Return the result that was packed."""
        ...


@runtime_checkable
class Reconcilable(Protocol):
    """A job that can ask the outside world what became of an earlier attempt."""

    async def reconcile(self, attempt_id: str) -> Any:
        """Return the result of an attempt that may have been started before; None: it was not, start now.

        Also None where there is nobody to ask and starting again is harmless.
        """
        ...
