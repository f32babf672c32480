"""A streamed answer put together from its chunks. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from llm.completion import AskedCall, Completion, ModelError, Usage
from schemas.errors import ErrorCode


def plain(chunk: Any) -> Mapping[str, Any]:
    """Return a chunk of the provider library as plain JSON values."""
    return cast("Mapping[str, Any]", chunk.model_dump())


class Assembly:
    """Collects one answer. Chunks are in the shape of OpenAI's `chat.completion.chunk`."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._text: list[str] = []
        self._calls: dict[int, dict[str, str]] = {}
        self._finish_reason: str | None = None
        self.usage = Usage()
        self.has_begun = False
        """Whether anything of the answer came: text, a tool call, or hidden reasoning."""

    def add(self, chunk: Mapping[str, Any]) -> str:
        """Take the next chunk and return the text that it adds.

        Raises:
            ModelError: the chunk has another shape (model_nonsense).

        """
        try:
            if chunk.get("usage"):
                self.usage = _usage(chunk["usage"])
            return "".join(self._add_choice(choice) for choice in chunk.get("choices") or ())
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            message = f"{self._model}: a piece of its answer has not the agreed form ({error!r})"
            raise ModelError(message, code=ErrorCode.MODEL_NONSENSE, is_retryable=True) from error

    def end(self, *, is_complete: bool) -> None:
        """Take note that the stream ended; `is_complete`: the provider said why it stopped.

        Raises:
            ModelError: it was cut off (model_nonsense).

        """
        if not is_complete:
            message = f"{self._model}: its answer was cut off in the middle; try again"
            raise ModelError(message, code=ErrorCode.MODEL_NONSENSE, is_retryable=True, usage=self.usage)

    def completion(self, cost: float | None) -> Completion:
        """Return what has been collected."""
        return Completion(
            model=self._model,
            text="".join(self._text),
            tool_calls=tuple(_asked(call) for _, call in sorted(self._calls.items())),
            usage=self.usage,
            finish_reason=self._finish_reason,
            cost=cost,
        )

    def _add_choice(self, choice: Mapping[str, Any]) -> str:
        if choice.get("index"):
            return ""  # only one answer was asked for
        reason = choice.get("finish_reason")
        if reason:
            self._finish_reason = str(reason)
        delta: Mapping[str, Any] = choice.get("delta") or {}
        calls: Sequence[Mapping[str, Any]] = delta.get("tool_calls") or ()
        self._add_calls(calls)
        text = delta.get("content") or ""
        if not isinstance(text, str):
            message = "content is not text"
            raise TypeError(message)
        self._text.append(text)
        self.has_begun = self.has_begun or bool(text or calls or delta.get("reasoning_content"))
        return text

    def _add_calls(self, deltas: Sequence[Mapping[str, Any]]) -> None:
        for delta in deltas:
            call = self._calls.setdefault(
                int(delta.get("index") or 0), {"id": "", "name": "", "arguments": ""}
            )
            function: Mapping[str, Any] = delta.get("function") or {}
            call["id"] = call["id"] or str(delta.get("id") or "")
            call["name"] += str(function.get("name") or "")
            call["arguments"] += str(function.get("arguments") or "")


def arguments_of(text: str) -> Mapping[str, Any] | str:
    """Return tool arguments as the object that they should be, or as the text that they are."""
    try:
        value: Any = orjson.loads(text or "{}")
        _ = orjson.dumps([{"arguments": value}])  # as it travels on: less depth can be written than read
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return text
    return cast("dict[str, Any]", value) if isinstance(value, dict) else text


def _asked(call: Mapping[str, str]) -> AskedCall:
    return AskedCall(call["id"], call["name"], arguments_of(call["arguments"]))


def _usage(usage: Mapping[str, Any]) -> Usage:
    prompt: Mapping[str, Any] = usage.get("prompt_tokens_details") or {}
    completion: Mapping[str, Any] = usage.get("completion_tokens_details") or {}
    return Usage(
        prompt_tokens=_count(usage, "prompt_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
        cached_tokens=_count(prompt, "cached_tokens"),
        cache_write_tokens=_count(usage, "cache_creation_input_tokens"),
        reasoning_tokens=_count(completion, "reasoning_tokens"),
    )


def _count(counts: Mapping[str, Any], name: str) -> int:
    # What is no count must not cost an answer that was paid for.
    return max(0, int(counts.get(name) or 0))
