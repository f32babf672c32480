"""The model calls of one attempt as watchers, logs and metrics see them."""

from llm.asking import Failure
from llm.completion import OnDelta
from llm.patience import FallBack, GiveUp, Retry
from schemas.ids import try_id
from schemas.records import GenerationRequest
from streams.generate.deltas import Deltas
from telemetry.logs import logger
from telemetry.metrics import GENERATION_FAILURES

log = logger(__name__)


class Calls:
    """Follows the calls of one attempt. `attempt_id` is that of the call in progress, for feed and record."""

    def __init__(self, request: GenerationRequest, deltas: Deltas, attempt_id: str) -> None:
        self.attempt_id = attempt_id
        self._first_id = attempt_id
        self._request = request
        self._deltas = deltas

    def begin(self, number: int) -> OnDelta:
        """Take note that call `number` (from 0) begins; return where its words go."""
        if number:
            self.attempt_id = try_id(self._first_id, number)
            self._deltas.begin(self.attempt_id)
        return self._deltas.add

    def failed(self, failure: Failure) -> None:
        """Take note that a call failed."""
        error = failure.error
        what, wait_s = _what_follows(failure.step)
        GENERATION_FAILURES.labels(family(failure.model), error.code.value, what).inc()
        log.info(
            "model call failed",
            generation_id=self._request.id,
            model=failure.model,
            code=error.code.value,
            next=what,
            wait_s=wait_s,
        )


def family(model: str) -> str:
    """Return the label of a model: a script's name after the colon would make it unbounded."""
    return model.partition(":")[0]


def _what_follows(step: Retry | FallBack | GiveUp) -> tuple[str, float]:
    match step:
        case Retry(after_s=after_s):
            return "retry", round(after_s, 2)
        case FallBack():
            return "fall_back", 0.0
        case GiveUp():
            return "give_up", 0.0
