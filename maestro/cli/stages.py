"""How the stages of a run look to a person who watches: pure, from feed entries to lines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from maestro.cli.wording import duration, shortened
from schemas.lists import Action, Purpose

_LABEL_WIDTH = 11
_CALL_CHARACTERS = 300

ENDS = frozenset({Action.RUN_COMPLETED, Action.RUN_FAILED, Action.RUN_CANCELLED, Action.MESSAGE_REJECTED})
"""Stages after which a run has no other."""


@dataclass(frozen=True, slots=True)
class Line:
    """One stage: what it is, its text, and how it is coloured."""

    label: str
    text: str
    style: str = "dim"

    @property
    def rendered(self) -> str:
        """The stage as text; further lines stand under the first."""
        indent = "\n" + " " * (_LABEL_WIDTH + 1)
        return f"{self.label:<{_LABEL_WIDTH}} {indent.join(self.text.splitlines())}".rstrip()


def line_of(stage: Mapping[str, Any]) -> Line | None:
    """Return what to show of a stage; None for the end of a run, which its answer shows."""
    make = _SHOWN.get(str(stage.get("stage")))
    return None if make is None else make(stage)


def belongs(stage: Mapping[str, Any], *, run_id: str, since_ms: int) -> bool:
    """Whether a stage is about the run, or about its session since the run's message was sent."""
    about = stage.get("run_id")
    return about == run_id or (about is None and int(stage.get("at_ms", 0)) >= since_ms)


def _said(label: str, style: str = "dim") -> Callable[[Mapping[str, Any]], Line]:
    return lambda stage: Line(label, shortened(str(stage.get("text", ""))), style)


def _fixed(label: str, text: str) -> Callable[[Mapping[str, Any]], Line]:
    return lambda _stage: Line(label, text)


def _queued(stage: Mapping[str, Any]) -> Line:
    before = int(stage.get("position", 0))
    others = f" and {before} more" if before else ""
    return Line("queued", f"behind the run that is active{others}")


def _called(stage: Mapping[str, Any]) -> Line:
    arguments = shortened(str(stage.get("arguments", "")), _CALL_CHARACTERS)
    return Line("tool call", f"{stage.get('tool_name')} {arguments}", "cyan")


def _asked_model(stage: Mapping[str, Any]) -> Line:
    purpose = str(stage.get("purpose", ""))
    return Line("model", _PURPOSES.get(purpose, "asked"))


def _asked_person(stage: Mapping[str, Any]) -> Line:
    call, tool = stage.get("tool_call_id"), stage.get("tool_name")
    arguments = shortened(str(stage.get("arguments", "")), _CALL_CHARACTERS)
    left_s = (int(stage.get("due_ms", 0)) - int(stage.get("at_ms", 0))) / 1000
    why = "it may have done its work already: allow it once more?" if stage.get("is_unknown") else "allowed?"
    return Line(
        "approval",
        f"{tool} {arguments}\n{why} `maestro approve {call}`\n"
        f"or `maestro deny {call} --reason …`; without a word it is denied in {duration(left_s)}",
        "bold yellow",
    )


def _approved(stage: Mapping[str, Any]) -> Line:
    return Line("approved", f"{stage.get('tool_name')}, by {stage.get('approved_by')}", "green")


def _denied(stage: Mapping[str, Any]) -> Line:
    by = stage.get("denied_by")
    who = f", by {by}" if by else ""
    return Line("denied", f"{stage.get('tool_name')}{who}: {shortened(str(stage.get('reason', '')))}", "red")


def _exceeded(stage: Mapping[str, Any]) -> Line:
    then = "; the model is asked for a last answer" if stage.get("asks_last") else ""
    return Line("budget", f"{stage.get('stop_reason')} is used up{then}", "yellow")


def _succeeded(stage: Mapping[str, Any]) -> Line:
    return Line("result", shortened(str(stage.get("text", ""))), "green")


def _failed(stage: Mapping[str, Any]) -> Line:
    text = shortened(str(stage.get("text", "")))
    return Line("failed", f"{stage.get('tool_name')} ({stage.get('outcome')}): {text}", "red")


_PURPOSES: Mapping[str, str] = MappingProxyType(
    {
        Purpose.PLAN: "asked for a plan",
        Purpose.REFLECT: "asked to look back",
        Purpose.SUMMARIZE: "asked to sum up",
    }
)

_SHOWN: Mapping[str, Callable[[Mapping[str, Any]], Line]] = MappingProxyType(
    {
        Action.SESSION_RESUMED: _fixed("resumed", "the session goes on where it was"),
        Action.RUN_QUEUED: _queued,
        Action.RUN_STARTED: _fixed("started", ""),
        Action.GENERATION_REQUESTED: _asked_model,
        Action.PLAN: _said("plan", "magenta"),
        Action.THOUGHT: _said("thought"),
        Action.REFLECTION: _said("reflection", "magenta"),
        Action.TOOL_CALLED: _called,
        Action.TOOL_SUCCEEDED: _succeeded,
        Action.TOOL_FAILED: _failed,
        Action.TOOL_OUTCOME_UNKNOWN: _failed,
        Action.APPROVAL_REQUESTED: _asked_person,
        Action.RUN_WAITING: _fixed("waiting", "for a person"),
        Action.TOOL_APPROVED: _approved,
        Action.TOOL_DENIED: _denied,
        Action.OBSERVATION: _said("observation"),
        Action.BUDGET_EXCEEDED: _exceeded,
        Action.DEADLINE_PASSED: _fixed("late", "a deadline has passed"),
        Action.RUN_ROLLED_BACK: _fixed("rolled back", "what the run did is taken out of the conversation"),
    }
)
