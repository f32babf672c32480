"""The rehearsal model: deterministic, offline, scripted; it shows the whole path without a provider."""

import asyncio
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

import orjson

from llm.completion import AskedCall, Completion, CompletionRequest, ModelError, OnDelta, Usage, checked
from llm.prompt_state import PromptState, read_prompt
from llm.purposes import is_for_rules, unscripted
from llm.script import Fail, Rule, Script, When
from llm.template import fields_of, fill, fill_all
from schemas.errors import ErrorCode

NAME: Final = "rehearsal"
DEFAULT_SCRIPT: Final = "demo"
_BYTES_PER_TOKEN: Final = 4
_PIECE: Final = re.compile(r"\S+\s*|\s+")
_WORDS_PER_PIECE: Final = 4
_UNSCRIPTED: Final = Rule()


class RehearsalModel:
    """Answers by the rules of its scripts: `rehearsal` plays `demo`, `rehearsal:NAME` the script NAME."""

    def __init__(self, scripts: Mapping[str, Script]) -> None:
        self._scripts = scripts

    async def complete(self, request: CompletionRequest, on_delta: OnDelta) -> Completion:
        """Answer with the first rule that fits the prompt.

        Raises:
            ModelError: the script says so, has no fitting rule, or does not exist.

        """
        rule, text, calls = self._answer_to(request)
        if rule.delay_s or rule.pace_s:
            await _played_slowly(request, rule, text, on_delta)
        elif rule.fail is None:
            for piece in pieces(text):
                on_delta(piece)
        if rule.fail is not None:
            raise _failure(rule.fail)
        return checked(
            Completion(
                model=request.model,
                text=text,
                tool_calls=calls,
                usage=_usage(request, rule, text, calls),
                finish_reason="tool_calls" if calls else "stop",
                cost=0.0,
            )
        )

    def _answer_to(self, request: CompletionRequest) -> tuple[Rule, str, tuple[AskedCall, ...]]:
        state = read_prompt(request.messages)
        found = _rule_for(self._script(request.model), state, request)
        if found is None:
            return _UNSCRIPTED, unscripted(request, state), ()
        rule, groups = found
        fields = fields_of(state, groups, [tool.name for tool in request.tools])
        calls = [
            AskedCall(
                f"call_{state.round}_{number}",
                call.tool,
                fill_all(call.arguments, fields) if call.raw is None else call.raw,
            )
            for number, call in enumerate(rule.call)
        ]
        return rule, fill(rule.say, fields).strip(), tuple(calls)

    def _script(self, model: str) -> Script:
        name = model.partition(":")[2] or DEFAULT_SCRIPT
        try:
            return self._scripts[name]
        except KeyError:
            known = ", ".join(sorted(self._scripts))
            message = f"there is no rehearsal script {name!r}; there are: {known}"
            raise ModelError(message, code=ErrorCode.MODEL_NOT_FOUND) from None


def pieces(text: str) -> list[str]:
    """Return `text` cut into the pieces that it is streamed in: a few words each."""
    words = _PIECE.findall(text)
    return ["".join(words[i : i + _WORDS_PER_PIECE]) for i in range(0, len(words), _WORDS_PER_PIECE)]


async def _played_slowly(request: CompletionRequest, rule: Rule, text: str, on_delta: OnDelta) -> None:
    try:
        async with asyncio.timeout(request.timeout_s):
            await asyncio.sleep(rule.delay_s)
            for piece in pieces(text) if rule.fail is None else ():
                on_delta(piece)
                await asyncio.sleep(rule.pace_s)
    except TimeoutError as error:
        message = f"{request.model} did not answer within {request.timeout_s:g} s"
        raise ModelError(message, code=ErrorCode.MODEL_TIMEOUT, is_retryable=True) from error


def _failure(fail: Fail) -> ModelError:
    return ModelError(fail.message, code=fail.code, is_retryable=fail.retry, retry_after_s=fail.retry_after_s)


def _rule_for(
    script: Script, state: PromptState, request: CompletionRequest
) -> tuple[Rule, Mapping[str, str | None]] | None:
    """Return the first rule that fits; None where the script has none for the request's purpose."""
    offered = {tool.name for tool in request.tools}
    takes_all = is_for_rules(request)
    for rule in script.rules:
        when = rule.when
        is_meant = takes_all if when.purpose is None else when.purpose is request.purpose
        if is_meant and _holds(when, state, offered):
            match = when.pattern.search(state.question)
            if match is not None:
                return rule, match.groupdict()
    if not takes_all:
        return None
    message = (
        f"{request.model}: no rule of the script fits this prompt; add one without conditions at its end"
    )
    raise ModelError(message, code=ErrorCode.MODEL_REFUSED_REQUEST)


def _holds(when: When, state: PromptState, offered: AbstractSet[str]) -> bool:
    if when.stage is not None and when.stage is not state.stage:
        return False
    if when.round is not None and when.round != state.round:
        return False
    return when.offers is None or when.offers in offered


def _usage(request: CompletionRequest, rule: Rule, text: str, calls: tuple[AskedCall, ...]) -> Usage:
    answer = len(text.encode()) + sum(len(call.name) + _size(call.arguments) for call in calls)
    prompt = rule.tokens.prompt
    completion = rule.tokens.completion
    return Usage(
        prompt_tokens=_tokens(_size(request.messages)) if prompt is None else prompt,
        completion_tokens=_tokens(answer) if completion is None else completion,
        cached_tokens=rule.tokens.cached,
        reasoning_tokens=rule.tokens.reasoning,
    )


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(orjson.dumps(value, default=dict))


def _tokens(size: int) -> int:
    return max(1, -(-size // _BYTES_PER_TOKEN))
