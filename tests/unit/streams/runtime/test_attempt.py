"""One attempt of a step: what its end means, and that it is counted."""

from collections.abc import Hashable
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from schemas.errors import ErrorCode, FatalError, PoisonError, TransientError
from streams.runtime.attempt import attempt
from streams.runtime.record import Record
from streams.runtime.ticket import Outcome


class Once:
    """A role whose step and burial end as told."""

    def __init__(self, error: BaseException | None = None, refusal: Exception | None = None) -> None:
        self.topics = ("in",)
        self.buried: list[Exception] = []
        self._error = error
        self._refusal = refusal

    def lane(self, record: Record) -> Hashable | None:
        return record.key

    def join_key(self, record: Record) -> Hashable | None:
        return record.value

    async def step(self, record: Record) -> None:
        _ = record
        if self._error is not None:
            raise self._error

    async def on_poison(self, record: Record, error: Exception) -> None:
        _ = record
        if self._refusal is not None:
            raise self._refusal
        self.buried.append(error)

    async def on_assigned(self, partitions: frozenset[int]) -> None:
        _ = partitions

    async def on_revoked(self, partitions: frozenset[int]) -> None:
        _ = partitions


def message(topic: str = "in") -> Record:
    return Record(topic, 0, 1, 1, None, b"")


@pytest.mark.parametrize(
    ("error", "refusal", "outcome"),
    [
        (None, None, Outcome.DONE),
        (TransientError("away"), None, Outcome.RETRY),
        (PoisonError("bad"), None, Outcome.POISONED),
        (ZeroDivisionError(), None, Outcome.POISONED),
        (PoisonError("bad"), TransientError("away"), Outcome.RETRY),
        (PoisonError("bad"), ZeroDivisionError(), Outcome.RETRY),
    ],
)
async def test_the_end_of_a_step_decides_what_becomes_of_its_message(
    error: Exception | None, refusal: Exception | None, outcome: Outcome
) -> None:
    role = Once(error, refusal)
    assert await attempt(role, message()) is outcome
    assert role.buried == ([error] if outcome is Outcome.POISONED else [])


@pytest.mark.parametrize("role", [Once(FatalError("stop")), Once(PoisonError("bad"), FatalError("stop"))])
async def test_a_fatal_error_of_step_or_burial_reaches_the_process(role: Once) -> None:
    with pytest.raises(FatalError, match="stop"):
        _ = await attempt(role, message())


async def test_each_try_is_timed_and_each_retry_counted_by_its_code() -> None:
    topic = f"in.{uuid4()}"
    for error in (
        None,
        TransientError("away"),
        TransientError("busy", code=ErrorCode.BUSY),
        PoisonError("x"),
    ):
        _ = await attempt(Once(error), message(topic))
    assert REGISTRY.get_sample_value("maestro_step_seconds_count", {"topic": topic}) == 4
    for code in ("unavailable", "busy"):
        labels = {"topic": topic, "code": code}
        assert REGISTRY.get_sample_value("maestro_step_retries_total", labels) == 1
    assert (
        REGISTRY.get_sample_value("maestro_step_retries_total", {"topic": topic, "code": "invalid"}) is None
    )
