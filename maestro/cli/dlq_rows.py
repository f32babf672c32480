"""Dead letters, and what came of seeing to them, as rows that people and tools read."""

from collections.abc import Mapping
from typing import Any

from bus.codec import Codec
from bus.deadletter import PREFIX
from bus.letters import Letter, LetterState, Mark
from bus.message import Message
from bus.names import TopicNames
from bus.redrive import FIRST_PLACE
from maestro.cli.messages import as_json, iso_time
from maestro.dead_letters import Outcome
from streams.session.forward import FORWARDED_FROM


def letter_row(letter: Letter) -> dict[str, Any]:
    """Return why and whence a dead letter came, and where it stands."""
    origin = letter.origin
    return {
        "place": letter.place,
        "timestamp": iso_time(letter.timestamp_ms),
        "state": letter.state.value,
        "reason": letter.reason,
        "message": letter.message,
        "stage": letter.stage,
        "topic": None if origin is None else origin.topic,
        "partition": None if origin is None else origin.partition,
        "offset": None if origin is None else origin.offset,
        "first_at": letter.ours.get(FIRST_PLACE) or letter.ours.get(FORWARDED_FROM),
        "key": None if letter.key is None else letter.key.decode(errors="replace"),
        "redrives": letter.redrives,
        "earlier_redrives": letter.earlier_redrives,
        "deeds": [_deed(mark) for mark in letter.marks],
    }


def standing(row: Mapping[str, Any]) -> str:
    """Return the state of a letter's row in words: what was done last, how often, by whom, and why."""
    deeds: list[dict[str, Any]] = row["deeds"]
    match row["state"]:
        case LetterState.REDRIVEN.value:
            times = row["redrives"]
            often = "" if times == 1 else f" {times} times, last"
            words = f"redriven{often} by {deeds[-1]['by']}"
        case LetterState.DISCARDED.value:
            words = f"discarded by {deeds[-1]['by']}: {deeds[-1]['note']}"
        case _:
            words = "open"
    earlier = row["earlier_redrives"]
    return f"{words} (redriven {earlier} before)" if earlier else words


def whole_letter(letter: Letter, message: Message, names: TopicNames, codec: Codec) -> dict[str, Any]:
    """Return a letter's row with its message's own headers and its value, decoded where possible."""
    shown = as_json(message, names, codec)
    headers: dict[str, Any] = shown.get("headers", {})
    theirs = {name: text for name, text in headers.items() if not name.startswith(PREFIX)}
    value = {name: shown[name] for name in ("value", "raw", "error") if name in shown}
    return letter_row(letter) | {"headers": theirs} | value


def outcome_row(outcome: Outcome, *, did: str) -> dict[str, Any]:
    """Return what came of one letter; `did` is said where nothing was in the way."""
    letter, problem = outcome.letter, outcome.problem
    return {
        "place": letter.place,
        "reason": letter.reason,
        "outcome": did if problem is None else "refused",
        "from": None if letter.origin is None else str(letter.origin),
        "to": None if outcome.to is None else str(outcome.to),
        "redriven": outcome.times,
        "code": None if problem is None else problem.code.value,
        "problem": None if problem is None else problem.message,
    }


def _deed(mark: Mark) -> dict[str, Any]:
    return mark.model_dump(mode="json", exclude={"offset"})
