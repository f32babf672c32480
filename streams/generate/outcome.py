"""What became of a request as a Generation record that fits a message, and as the journal keeps it. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from llm.completion import NOTHING_USED, AskedCall, Completion, ModelError, Usage
from schemas.errors import ErrorCode, MaestroError
from schemas.fields import json_without_nul
from schemas.lists import GenerationStatus
from schemas.records import Generation, GenerationRequest
from schemas.topics import MAX_VALUE_BYTES
from streams.built import built
from streams.well_formed import well_formed, without_nul

MAX_ANSWER_BYTES: Final = 400_000
"""Most bytes of text and tool calls together: the session has to carry them on, beside everything else."""
_ROOM_BYTES: Final = 20_000
"""For a generation's other fields."""
_NO_CALLS: Final = "[]"
_BYTES_PER_CHARACTER: Final = 4
"""At most, in UTF-8."""


def completed(
    request: GenerationRequest, completion: Completion, *, at: datetime, latency_ms: int, attempt_id: str
) -> Generation:
    """Return the generation of an answer; one that is too large to be carried on is a failed one."""
    text, calls = _clean(completion.text), _calls_text(completion.tool_calls)
    size = _bytes_of(text) + _bytes_of(calls)
    is_too_large = size > MAX_ANSWER_BYTES
    if is_too_large:
        text, calls = "", _NO_CALLS
    return _generation(
        request,
        model_name=completion.model,
        response=text,
        tool_calls=calls,
        usage=completion.usage,
        created_at=at,
        status=GenerationStatus.FAILED if is_too_large else GenerationStatus.COMPLETED,
        finish_reason=_clean(completion.finish_reason) if completion.finish_reason else None,
        cost=completion.cost,
        latency_ms=latency_ms,
        error_code=ErrorCode.TOO_LARGE.value if is_too_large else None,
        error_message=f"the answer has {size} bytes, {MAX_ANSWER_BYTES} are allowed: ask for less"
        if is_too_large
        else None,
        attempt_id=attempt_id,
    )


def failed(
    request: GenerationRequest, error: MaestroError, *, at: datetime, latency_ms: int, attempt_id: str
) -> Generation:
    """Return the generation of a call that gave no answer, with what its calls are known to have used."""
    usage = error.usage if isinstance(error, ModelError) else NOTHING_USED
    return _generation(
        request,
        model_name=request.model_name,
        response="",
        tool_calls=_NO_CALLS,
        usage=usage,
        created_at=at,
        status=GenerationStatus.FAILED,
        cost=error.cost if isinstance(error, ModelError) and usage != NOTHING_USED else None,
        latency_ms=latency_ms,
        error_code=error.code.value,
        error_message=_clean(error.message),
        attempt_id=attempt_id,
    )


def pack(generation: Generation) -> bytes:
    """Return what the journal keeps: all but the prompt, which every repetition of the request has."""
    fields = generation.__dict__.copy()
    del fields["prompt"]
    return orjson.dumps(fields)


def unpack(request: GenerationRequest, value: bytes) -> Generation:
    """Return the generation that was packed."""
    fields: dict[str, Any] = orjson.loads(value)
    prompt = _prompt_beside(request, fields["response"], fields["tool_calls"])
    return Generation.model_validate({**fields, "prompt": prompt})


def _generation(
    request: GenerationRequest,
    *,
    model_name: str,
    response: str,
    tool_calls: str,
    created_at: datetime,
    status: GenerationStatus,
    usage: Usage,
    cost: float | None,
    latency_ms: int,
    attempt_id: str,
    finish_reason: str | None = None,
    error_code: str | None = None,
    error_message: str | None = None,
) -> Generation:
    return built(
        Generation,
        id=request.id,
        task_id=request.task_id,
        session_id=request.session_id,
        run_id=request.run_id,
        user_id=request.user_id,
        agent_id=request.agent_id,
        generation_index=request.generation_index,
        purpose=request.purpose,
        model_name=model_name,
        prompt=_prompt_beside(request, response, tool_calls),
        response=response,
        tool_calls=tool_calls,
        created_at=created_at,
        status=status,
        finish_reason=finish_reason,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        total_tokens=usage.total_tokens,
        cost_estimate=cost,
        latency_ms=latency_ms,
        error_code=error_code,
        error_message=error_message,
        attempt_id=attempt_id,
    )


def _prompt_beside(request: GenerationRequest, response: str, tool_calls: str) -> str:
    """Return the request's prompt, or a note where it does not fit one message together with the answer."""
    prompt, room = request.messages, MAX_VALUE_BYTES - _ROOM_BYTES
    if _BYTES_PER_CHARACTER * (len(prompt) + len(response) + len(tool_calls)) <= room:
        return prompt
    prompt_bytes = _bytes_of(prompt)
    if _bytes_of(response) + _bytes_of(tool_calls) + prompt_bytes <= room:
        return prompt
    note = f"the prompt of {prompt_bytes} bytes is left out: with the answer it does not fit a message"
    return orjson.dumps([{"role": "system", "content": note}]).decode()


def _calls_text(calls: Sequence[AskedCall]) -> str:
    if not calls:
        return _NO_CALLS
    return json_without_nul(orjson.dumps([_call(call) for call in calls]).decode())


def _call(call: AskedCall) -> dict[str, Any]:
    arguments = call.arguments if not isinstance(call.arguments, str) else well_formed(call.arguments)
    return {"id": well_formed(call.id), "name": well_formed(call.name), "arguments": arguments}


def _clean(text: str) -> str:
    return without_nul(well_formed(text))


def _bytes_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
