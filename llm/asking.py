"""Asks with patience: again after passing trouble, then the next model, never past the deadline."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import random
from time import monotonic
from typing import Final, Protocol

from msgspec.structs import replace

from llm.completion import (
    NOTHING_USED,
    Completion,
    CompletionRequest,
    Model,
    ModelError,
    OnDelta,
    Usage,
)
from llm.patience import LEAST_CALL_S, FallBack, GiveUp, Patience, Retry, after_failure, turn_limit_s
from schemas.errors import ErrorCode

_MAX_MESSAGE_CHARS: Final = 2000


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that gave no answer, and what is done about it."""

    model: str
    error: ModelError
    step: Retry | FallBack | GiveUp


class Listener(Protocol):
    """Who follows the calls of one request."""

    def begin(self, number: int) -> OnDelta:
        """Take note that call `number` (from 0) begins; return where its words go. Earlier words are void."""
        ...

    def failed(self, failure: Failure) -> None:
        """Take note that the call failed."""
        ...


async def ask(
    model: Model,
    request: CompletionRequest,
    listener: Listener,
    *,
    patience: Patience,
    chance: Callable[[], float] = random,
) -> Completion:
    """Return the first usable answer of the request's model or its fall-back models, within its `timeout_s`.

    Usage and cost contain those of failed calls, as far as they are known: they were paid for.

    Raises:
        ModelError: nobody answered; the code is that of the first model's last failure.

    """
    return await _Asking(model, request, listener, patience, chance).run()


class _Asking:
    def __init__(
        self,
        model: Model,
        request: CompletionRequest,
        listener: Listener,
        patience: Patience,
        chance: Callable[[], float],
    ) -> None:
        self._model = model
        self._request = request
        self._listener = listener
        self._patience = patience
        self._chance = chance
        self._ends_at = monotonic() + request.timeout_s
        self._calls = 0
        self._failures: list[Failure] = []

    async def run(self) -> Completion:
        names = tuple(dict.fromkeys((self._request.model, *self._request.fallback_models)))
        for place, name in enumerate(names):
            completion = await self._turn(name, place, len(names) - place)
            if completion is not None:
                return _with_paid(completion, self._failures) if self._failures else completion
        raise _summed_up(self._failures)

    async def _turn(self, name: str, place: int, models_left: int) -> Completion | None:
        began_at = monotonic()
        turn_ends_at = began_at + turn_limit_s(self._ends_at - began_at, models_left)
        tries = 0
        while True:
            tries += 1
            try:
                return await self._call(name, place, turn_ends_at - monotonic())
            except ModelError as error:
                step = after_failure(
                    error,
                    tries=tries,
                    left_s=self._left_s(),
                    turn_s=turn_ends_at - monotonic(),
                    has_next=models_left > 1,
                    patience=self._patience,
                    chance=self._chance(),
                )
                self._note(Failure(name, error, step))
            match step:
                case Retry(after_s=after_s):
                    await asyncio.sleep(after_s)
                case FallBack():
                    return None
                case GiveUp():
                    raise _summed_up(self._failures)

    async def _call(self, name: str, place: int, turn_s: float) -> Completion:
        limit_s = min(self._patience.call_limit_s, max(turn_s, LEAST_CALL_S))
        # A key belongs to one body: the same call again keeps it, another model has its own.
        identity = self._request.id if place == 0 else f"{self._request.id}:{place}"
        question = replace(self._request, id=identity, model=name, fallback_models=(), timeout_s=limit_s)
        on_delta = self._listener.begin(self._calls)
        self._calls += 1
        return await self._model.complete(question, on_delta)

    def _left_s(self) -> float:
        return self._ends_at - monotonic()

    def _note(self, failure: Failure) -> None:
        self._failures.append(failure)
        self._listener.failed(failure)


def _with_paid(completion: Completion, failures: list[Failure]) -> Completion:
    usage, cost = _paid(failures)
    if usage == NOTHING_USED:
        return completion
    both = None if cost is None or completion.cost is None else completion.cost + cost
    return replace(completion, usage=completion.usage.plus(usage), cost=both)


def _paid(failures: list[Failure]) -> tuple[Usage, float | None]:
    usage, cost = NOTHING_USED, 0.0
    is_known = True
    for failure in failures:
        if failure.error.usage != NOTHING_USED:
            usage = usage.plus(failure.error.usage)
            is_known = is_known and failure.error.cost is not None
            cost += failure.error.cost or 0.0
    return usage, cost if is_known else None


def _summed_up(failures: list[Failure]) -> ModelError:
    last_of = {failure.model: failure.error for failure in failures}
    calls = len(failures)
    message = "; then ".join(error.message for error in last_of.values())
    if calls > 1:
        message = f"{message} (asked {calls} times)"
    first = next(iter(last_of.values()), None)
    usage, cost = _paid(failures)
    return ModelError(
        message[:_MAX_MESSAGE_CHARS],
        code=ErrorCode.MODEL_ERROR if first is None else first.code,
        is_retryable=first is not None and first.is_retryable,
        usage=usage,
        cost=cost,
    )
