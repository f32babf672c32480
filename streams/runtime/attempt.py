"""One attempt of a step, and what its end means."""

import logging

from schemas.errors import FatalError, PoisonError, TransientError
from streams.runtime.record import Record
from streams.runtime.role import Role
from streams.runtime.ticket import Outcome
from telemetry.metrics import STEP_RETRIES, STEP_SECONDS

_log = logging.getLogger(__name__)


async def attempt(role: Role, record: Record) -> Outcome:
    """Run the step of `record` once. Raises only `FatalError` and cancellation."""
    try:
        with STEP_SECONDS.labels(record.topic).time():
            await role.step(record)
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
    # A bad message needs a sentence; a stack is for what nobody foresaw.
    stack = None if isinstance(error, PoisonError) else error
    _log.warning("step on %s failed for good: %s", _name(record), error, exc_info=stack)
    try:
        await role.on_poison(record, error)
    except FatalError:
        raise
    except Exception as refusal:  # noqa: BLE001 - a message that cannot even be dead-lettered must not be lost
        _log.warning("dead letter of %s is tried again: %s", _name(record), refusal)
        return Outcome.RETRY
    return Outcome.POISONED


def _name(record: Record) -> str:
    return f"{record.topic}/{record.partition}@{record.offset}"
