"""What became of a request as a Generation record that fits a message, and as the journal keeps it. Pure."""

from datetime import datetime
from typing import Any, Final

import orjson

from llm.completion import AskedCall, Completion, ModelError, Usage
from schemas.errors import ErrorCode, MaestroError
from schemas.lists import GenerationStatus
from schemas.records import Generation, GenerationRequest
from schemas.topics import MAX_VALUE_BYTES
from streams.built import built
from streams.well_formed import well_formed

MAX_ANSWER_BYTES: Final = 400_000
"""Most bytes of text and tool calls together: the session has to carry them on, beside everything else."""
_ROOM_BYTES: Final = 20_000
"""For a generation's other fields."""


def completed(
    request: GenerationRequest, completion: Completion, *, at: datetime, latency_ms: int, attempt_id: str
) -> Generation:
    """Return the generation of an answer; one that is too large to be carried on is a failed one."""
    text = well_formed(completion.text)
    calls = well_formed(orjson.dumps([_call(call) for call in completion.tool_calls]).decode())
    size = len(text.encode()) + len(calls.encode())
    usage = completion.usage
    is_too_large = size > MAX_ANSWER_BYTES
    return Generation(
        **_common(request),
        model_name=completion.model,
        response="" if is_too_large else text,
        tool_calls="[]" if is_too_large else calls,
        created_at=at,
        status=GenerationStatus.FAILED if is_too_large else GenerationStatus.COMPLETED,
        finish_reason=completion.finish_reason,
        **_tokens(usage),
        cost_estimate=completion.cost,
        latency_ms=latency_ms,
        error_code=ErrorCode.TOO_LARGE if is_too_large else None,
        error_message=f"the answer has {size} bytes, {MAX_ANSWER_BYTES} are allowed: ask for less"
        if is_too_large
        else None,
        attempt_id=attempt_id,
    )


def failed(
    request: GenerationRequest, error: MaestroError, *, at: datetime, latency_ms: int, attempt_id: str
) -> Generation:
    """Return the generation of a call that gave no answer, with what its calls are known to have used."""
    usage = error.usage if isinstance(error, ModelError) else Usage()
    return Generation(
        **_common(request),
        model_name=request.model_name,
        response="",
        tool_calls="[]",
        created_at=at,
        status=GenerationStatus.FAILED,
        **_tokens(usage),
        cost_estimate=error.cost if isinstance(error, ModelError) and usage != Usage() else None,
        latency_ms=latency_ms,
        error_code=error.code,
        error_message=well_formed(error.message),
        attempt_id=attempt_id,
    )


def pack(generation: Generation) -> bytes:
    """Return what the journal keeps: all but the prompt, which every repetition of the request has."""
    return generation.model_dump_json(exclude={"prompt"}).encode()


def unpack(request: GenerationRequest, value: bytes) -> Generation:
    """Return the generation that was packed."""
    generation = Generation.model_validate({**orjson.loads(value), "prompt": "[]"})
    return with_prompt(request, generation)


def with_prompt(request: GenerationRequest, generation: Generation) -> Generation:
    """Return `generation` with the request's prompt, or with a note where both do not fit one message."""
    answer_bytes = len(generation.response.encode()) + len(generation.tool_calls.encode())
    prompt_bytes = len(request.messages.encode())
    prompt = request.messages
    if answer_bytes + prompt_bytes > MAX_VALUE_BYTES - _ROOM_BYTES:
        note = f"the prompt of {prompt_bytes} bytes is left out: with the answer it does not fit a message"
        prompt = orjson.dumps([{"role": "system", "content": note}]).decode()
    return built(Generation, **{**generation.__dict__, "prompt": prompt})


def _common(request: GenerationRequest) -> dict[str, Any]:
    return {
        "id": request.id,
        "task_id": request.task_id,
        "session_id": request.session_id,
        "run_id": request.run_id,
        "user_id": request.user_id,
        "agent_id": request.agent_id,
        "generation_index": request.generation_index,
        "purpose": request.purpose,
        "prompt": "[]",
    }


def _tokens(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "total_tokens": usage.total_tokens,
    }


def _call(call: AskedCall) -> dict[str, Any]:
    arguments = call.arguments if not isinstance(call.arguments, str) else well_formed(call.arguments)
    return {"id": well_formed(call.id), "name": well_formed(call.name), "arguments": arguments}
