"""What a prompt shows of its run: the question, and the tool results since then. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

from llm.script import Stage

FAILED: Final = ("Error (", "The call did not answer")
"""How a session begins what the model reads of a call that failed, or that its run did not wait for."""


@dataclass(frozen=True, slots=True)
class PromptState:
    """The last user message, the answers since (counted), and the newest tool results in call order."""

    question: str
    round: int
    results: tuple[Any, ...]
    errors: tuple[str, ...]

    @property
    def stage(self) -> Stage:
        """How far the run is."""
        if not self.results and not self.errors:
            return Stage.START
        return Stage.TROUBLE if self.errors else Stage.RESULTS


def read_prompt(messages: Sequence[Mapping[str, Any]]) -> PromptState:
    """Return what `messages` show."""
    # From the end: the last user message is never far from there, however long the conversation.
    last_user = len(messages) - 1
    while last_user >= 0 and messages[last_user].get("role") != "user":
        last_user -= 1
    question = text_of(messages[last_user]) if last_user >= 0 else ""
    since = messages[last_user + 1 :]
    answers = [message for message in since if message.get("role") == "assistant"]
    # What was said after the newest calls, a reflection say, does not make their results old.
    calls = max((i for i, message in enumerate(since) if message.get("tool_calls")), default=-1)
    newest = since[calls + 1 :]
    results: list[Any] = []
    errors: list[str] = []
    for message in newest:
        if message.get("role") == "tool":
            text = text_of(message)
            value = _value(text)
            problem = text if text.startswith(FAILED) else _problem(value)
            if problem is None:
                results.append(_unwrapped(value))
            else:
                errors.append(problem)
    return PromptState(question, len(answers), tuple(results), tuple(errors))


def text_of(message: Mapping[str, Any]) -> str:
    """Return a message's text; of one made of parts, the text parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = cast("list[Any]", content)
        return "\n".join(
            str(cast("dict[str, Any]", part)["text"])
            for part in parts
            if isinstance(part, dict) and "text" in part
        )
    return ""


def _value(text: str) -> Any:
    # A tool that returned a text is read as that text; any other result is JSON.
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _problem(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, Any]", value)
    error = fields.get("error") or fields.get("error_message")
    if error:
        nested: Any = (
            cast("dict[str, Any]", error).get("message", error) if isinstance(error, dict) else error
        )
        return str(nested)
    return None if fields.get("success") is not False else "the tool failed"


def _unwrapped(value: Any) -> Any:
    if isinstance(value, dict) and {"result", "outcome"} <= value.keys():
        return cast("dict[str, Any]", value)["result"]
    return cast("Any", value)
