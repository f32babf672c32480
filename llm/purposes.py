"""What the rehearsal model says without a rule: plans, reflections, titles, summaries. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final

from llm.completion import CompletionRequest
from llm.prompt_state import PromptState, Stage, text_of
from schemas.lists import Purpose

_TITLE_WORDS: Final = 8
_LINE_CHARS: Final = 160
_SUMMARY_LINES: Final = 12
_PLAN: Final = re.compile(r"\bplan\b", re.IGNORECASE)


def is_for_rules(request: CompletionRequest) -> bool:
    """Tell whether rules without a purpose are meant: to act, and to plan together with the first act."""
    match request.purpose:
        case Purpose.REFLECT | Purpose.TITLE | Purpose.SUMMARIZE:
            return False
        case Purpose.PLAN:
            # A plan of its own is asked for without tools, in so many words.
            return bool(request.tools) or not _asks_for_a_plan(request.messages)
        case Purpose.ACT | Purpose.UNKNOWN:
            return True


def unscripted(request: CompletionRequest, state: PromptState) -> str:
    """Return what is said for the request's purpose."""
    match request.purpose:
        case Purpose.REFLECT:
            return _reflection(state)
        case Purpose.TITLE:
            return " ".join(state.question.split()[:_TITLE_WORDS]) or "Untitled"
        case Purpose.SUMMARIZE:
            return _summary(request.messages)
        case Purpose.PLAN | Purpose.ACT | Purpose.UNKNOWN:
            return f"Plan: look up what “{_line(state.question)}” needs, then answer from what was found."


def _reflection(state: PromptState) -> str:
    match state.stage:
        case Stage.TROUBLE:
            return f"The last step failed ({_line('; '.join(state.errors))}): say so instead of guessing."
        case Stage.RESULTS:
            return "The results are there and answer the question: nothing more has to be looked up."
        case Stage.START:
            return "The answer fits the question as it was asked."


def _summary(messages: tuple[Mapping[str, Any], ...]) -> str:
    lines = [
        f"{message['role']}: {_line(text)}"
        for message in messages
        if message.get("role") in {"user", "assistant"} and (text := text_of(message))
    ]
    return "\n".join(lines[-_SUMMARY_LINES:]) or "Nothing was said yet."


def _line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LINE_CHARS else words[: _LINE_CHARS - 1] + "…"


def _asks_for_a_plan(messages: tuple[Mapping[str, Any], ...]) -> bool:
    told = [message for message in messages if message.get("role") == "system"]
    return any(_PLAN.search(text_of(message)) for message in (*told, *messages[-1:]))
