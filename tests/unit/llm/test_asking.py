"""Asking with patience: who is asked, how often, under which id, and what it cost in the end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from llm.asking import Failure, ask
from llm.completion import Completion, CompletionRequest, ModelError, OnDelta, Usage
from llm.patience import FallBack, GiveUp, Patience, Retry
from schemas.errors import ErrorCode

PATIENCE = Patience(tries=3, first_wait_s=0.0, call_limit_s=60.0)
ANSWER = "answer"
BUSY = ModelError("a: busy", code=ErrorCode.MODEL_UNAVAILABLE, is_retryable=True)
NO_KEY = ModelError("a: no key", code=ErrorCode.MODEL_AUTHENTICATION)
USAGE = Usage(prompt_tokens=10, completion_tokens=2)


@dataclass
class Scripted:
    """Fails and answers in the given order."""

    outcomes: Sequence[ModelError | str]
    cost: float | None = 1.0
    asked: list[CompletionRequest] = field(default_factory=list[CompletionRequest])

    async def complete(self, request: CompletionRequest, on_delta: OnDelta) -> Completion:
        outcome = self.outcomes[len(self.asked)]
        self.asked.append(request)
        on_delta("…")
        if isinstance(outcome, ModelError):
            raise outcome
        return Completion(model=request.model, text=outcome, usage=USAGE, cost=self.cost)


@dataclass
class Heard:
    """Follows the calls."""

    begun: list[int] = field(default_factory=list[int])
    failures: list[Failure] = field(default_factory=list[Failure])
    words: list[str] = field(default_factory=list[str])

    def begin(self, number: int) -> OnDelta:
        self.begun.append(number)
        return lambda text: self.words.append(f"{number}:{text}")

    def failed(self, failure: Failure) -> None:
        self.failures.append(failure)


def request(*fallbacks: str, timeout_s: float = 60.0) -> CompletionRequest:
    return CompletionRequest(
        id="step", model="a", messages=({},), fallback_models=fallbacks, timeout_s=timeout_s
    )


async def test_passing_trouble_is_tried_again_with_the_same_idempotency_key() -> None:
    model, heard = Scripted([BUSY, BUSY, ANSWER]), Heard()
    completion = await ask(model, request(), heard, patience=PATIENCE)
    assert completion.text == ANSWER
    assert [(each.id, each.model) for each in model.asked] == [("step", "a")] * 3
    assert heard.begun == [0, 1, 2]
    assert heard.words == ["0:…", "1:…", "2:…"]
    assert [failure.step for failure in heard.failures] == [Retry(0.0), Retry(0.0)]


async def test_the_next_model_is_asked_under_a_key_of_its_own_and_is_the_one_that_answered() -> None:
    model, heard = Scripted([BUSY, BUSY, BUSY, NO_KEY, ANSWER]), Heard()
    completion = await ask(model, request("b", "c"), heard, patience=PATIENCE)
    assert [(each.id, each.model) for each in model.asked] == [
        *[("step", "a")] * 3,
        ("step:1", "b"),
        ("step:2", "c"),
    ]
    assert completion.model == "c"
    assert [failure.step for failure in heard.failures][2:] == [FallBack(), FallBack()]


async def test_a_model_that_is_named_twice_has_one_turn() -> None:
    model = Scripted([NO_KEY, NO_KEY])
    with pytest.raises(ModelError):
        await ask(model, request("a", "b", "b"), Heard(), patience=PATIENCE)
    assert [each.model for each in model.asked] == ["a", "b"]


async def test_when_nobody_answers_the_error_names_all_and_has_the_first_models_code() -> None:
    gone = ModelError("b: no such model", code=ErrorCode.MODEL_NOT_FOUND)
    heard = Heard()
    with pytest.raises(ModelError) as caught:
        await ask(Scripted([BUSY, BUSY, BUSY, gone]), request("b"), heard, patience=PATIENCE)
    assert caught.value.code is ErrorCode.MODEL_UNAVAILABLE
    assert caught.value.message == "a: busy; then b: no such model (asked 4 times)"
    assert heard.failures[-1].step == GiveUp()


async def test_calls_that_failed_after_using_tokens_are_paid_for() -> None:
    empty = ModelError("nothing", code=ErrorCode.MODEL_NONSENSE, is_retryable=True, usage=USAGE, cost=0.5)
    completion = await ask(Scripted([empty, BUSY, ANSWER]), request(), Heard(), patience=PATIENCE)
    assert completion.usage == USAGE.plus(USAGE)
    assert completion.cost == 1.5


@pytest.mark.parametrize(("failed_cost", "answer_cost"), [(None, 1.0), (1.0, None)])
async def test_a_price_that_is_unknown_makes_the_sum_unknown(
    failed_cost: float | None, answer_cost: float | None
) -> None:
    empty = ModelError("nothing", is_retryable=True, usage=USAGE, cost=failed_cost)
    model = Scripted([empty, ANSWER], cost=answer_cost)
    assert (await ask(model, request(), Heard(), patience=PATIENCE)).cost is None


async def test_a_call_has_its_limit_and_the_first_model_leaves_time_for_the_others() -> None:
    model = Scripted([NO_KEY, NO_KEY, ANSWER])
    await ask(model, request("b", "c", timeout_s=90.0), Heard(), patience=PATIENCE)
    assert [each.timeout_s for each in model.asked] == pytest.approx([30.0, 45.0, 60.0], abs=1.0)


async def test_a_retry_that_the_deadline_does_not_allow_is_not_waited_for() -> None:
    told = ModelError("slow down", is_retryable=True, retry_after_s=30.0)
    model = Scripted([told])
    async with asyncio.timeout(1):
        with pytest.raises(ModelError):
            await ask(model, request(timeout_s=5.0), Heard(), patience=PATIENCE)
    assert len(model.asked) == 1


async def test_a_cancelled_wait_ends_at_once() -> None:
    told = ModelError("slow down", is_retryable=True, retry_after_s=30.0)
    model = Scripted([told, ANSWER])
    asking = asyncio.create_task(ask(model, request(), Heard(), patience=PATIENCE))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert len(model.asked) == 1
