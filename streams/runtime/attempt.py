"""One attempt of a step, and what its end means."""

import logging
from functools import cache
from time import perf_counter

from prometheus_client import Histogram

from schemas.errors import FatalError, MaestroError, PoisonError, TransientError
from streams.runtime.record import Record
from streams.runtime.role import Role
from streams.runtime.ticket import Outcome
from telemetry.logs import without_text
from telemetry.metrics import STEP_RETRIES, STEP_SECONDS

_log = logging.getLogger(__name__)


@cache
def _seconds_of(topic: str) -> Histogram:
    # Looking a label up costs more than observing.
    return STEP_SECONDS.labels(topic)


async def attempt(role: Role, record: Record) -> Outcome:
    """Run the step of `record` once. Raises only `FatalError` and cancellation."""
    started = perf_counter()
    try:
        try:
            await role.step(record)
        finally:
            _seconds_of(record.topic).observe(perf_counter() - started)
    except TransientError as error:
        STEP_RETRIES.labels(record.topic, error.code.value).inc()
        _log.info("step on %s is tried again: %s", _name(record), error)
        return Outcome.RETRY
    except FatalError:
        raise
    except Exception as error:  # noqa: BLE001 - the outermost loop: whatever a role raises becomes a dead letter
        return await _bury(role, record, error)
    return Outcome.DONE


async def _bury(role: Role, record: Record, error: Exception) -> Outcome:
    if isinstance(error, PoisonError):
        # Our own sentence, which quotes nobody.
        _log.warning("step on %s failed for good: %s", _name(record), error)
    else:
        _log.warning("step on %s failed for good", _name(record), exc_info=without_text(error))
    try:
        await role.on_poison(record, error)
    except FatalError:
        raise
    except Exception as refusal:  # noqa: BLE001 - a message that cannot even be dead-lettered must not be lost
        what = None if isinstance(refusal, MaestroError) else without_text(refusal)
        _log.warning("dead letter of %s is tried again: %s", _name(record), _kind(refusal), exc_info=what)
        return Outcome.RETRY
    return Outcome.POISONED


def _kind(error: Exception) -> str:
    return error.message if isinstance(error, MaestroError) else type(error).__name__


def _name(record: Record) -> str:
    return f"{record.topic}/{record.partition}@{record.offset}"
