"""Messages that are read but cannot be answered as they stand, and those that only look bad."""

from dataclasses import dataclass, field
from typing import Any

from schemas.lists import RunStatus, StopReason

UNKNOWN, TOO_LARGE = StopReason.UNKNOWN_AGENT, StopReason.TOO_LARGE


@dataclass(frozen=True, slots=True)
class Refused:
    """A message whose run ends at once, or at its first step, with a typed error."""

    name: str
    fields: dict[str, Any]
    stop_reason: StopReason
    code: str
    says: str

    @property
    def status(self) -> RunStatus:
        """What becomes of the run: a model's failure comes after its start."""
        is_of_model = self.stop_reason is StopReason.MODEL_ERROR
        return RunStatus.FAILED if is_of_model else RunStatus.REJECTED


@dataclass(frozen=True, slots=True)
class Answered:
    """A message that is answered all the same; `says` is in the answer."""

    name: str
    fields: dict[str, Any]
    says: str
    outcomes: tuple[str, ...] = field(default=())
    """What the log says of tool calls that failed."""


def model(name: str, text: str, code: str, says: str) -> Refused:
    """A model that fails; the script goes by the text."""
    return Refused(name, {"content": text}, StopReason.MODEL_ERROR, code, says)


def agent(name: str, agent_id: str, says: str) -> Refused:
    """An agent that cannot answer."""
    return Refused(name, {"agent_id": agent_id}, UNKNOWN, UNKNOWN.value, says)


REFUSED = (
    agent("an unknown agent", "nobody", "name another one"),
    agent("a retired agent", "retired", "name another one"),
    agent("somebody else's agent", "private", "name another one"),
    Refused(
        "an agent of a wrong configuration",
        {"agent_id": "misfit"},
        StopReason.INVALID,
        StopReason.INVALID.value,
        "mend the agent",
    ),
    agent("an agent id with a NUL", "no\x00body", "name another one"),
    Refused("content above the limit", {"content": "x" * 262_145}, TOO_LARGE, TOO_LARGE.value, "send less"),
    Refused(
        "content that escapes make too large",
        {"content": "\x01" * 50_000},
        TOO_LARGE,
        TOO_LARGE.value,
        "send less",
    ),
    Refused("content as large as values go", {"content": "x" * 890_000}, TOO_LARGE, TOO_LARGE.value, "parts"),
    Refused(
        "metadata above the limit",
        {"metadata": {"in": "x" * 262_145}},
        TOO_LARGE,
        TOO_LARGE.value,
        "send less",
    ),
    model("an empty answer", "the model says nothing", "model_nonsense", "answered nothing"),
    model("a nameless tool", "it calls a tool without a name", "model_nonsense", "without naming it"),
    model(
        "an unprintable tool", "it calls a tool with an unprintable name", "model_nonsense", "no usable name"
    ),
    model("a model that is away", "the model is away", "model_unavailable", "try again later"),
    model("a wrong key", "the provider refuses the key", "model_authentication", "check it"),
    Refused(
        "a model that nobody has",
        {"agent_id": "lost"},
        StopReason.MODEL_ERROR,
        "model_not_found",
        "there is no rehearsal script",
    ),
)

ANSWERED = (
    Answered("a NUL in content", {"content": "he\x00llo"}, "he\ufffdllo"),
    Answered("a NUL in the title", {"title": "a\x00b"}, "hello"),
    Answered("a NUL in metadata", {"metadata": {"a\x00": "b\x00"}}, "hello"),
    Answered("a NUL in metadata as text", {"metadata": '{"a\\u0000": "\\\\u0000"}'}, "hello"),
    Answered("a NUL in the user's name", {"user_id": "ali\x00ce"}, "hello"),
    Answered("metadata that is an array", {"metadata": [1, 2]}, "hello"),
    Answered("deep metadata", {"metadata": '{"in":' * 200 + "1" + "}" * 200}, "hello"),
    Answered("metadata with twice the same name", {"metadata": '{"a": 1, "a": 2}'}, "hello"),
    Answered("a number too small for a database", {"metadata": '{"a": 1e-20000}'}, "hello"),
    Answered("a number of many digits", {"metadata": '{"a": ' + "1" * 300 + "}"}, "hello"),
    Answered("content just below the limit", {"content": "x" * 100_000}, "xxx"),
    Answered("blanks only", {"content": " \n "}, "You said"),
    Answered("a title of many lines", {"title": "line\n" * 20_000}, "hello"),
    Answered("every kind of character", {"content": "\x07\u202e\ufeff { {{ question }} %s '--"}, "'--"),
    Answered(
        "an unknown tool",
        {"content": "it asks for an unknown tool"},
        "divining_rod",
        ("unknown_tool",),
    ),
    Answered(
        "wrong tool arguments",
        {"content": "it gives wrong arguments"},
        "the arguments of current_time do not fit",
        ("invalid_arguments",),
    ),
    Answered(
        "tool arguments that are no JSON",
        {"content": "it gives text instead of arguments"},
        "the arguments of current_time do not fit",
        ("invalid_arguments",),
    ),
)
