"""Keeping a conversation within its bytes: old exchanges become summary lines, long contents beginnings."""

from collections.abc import Sequence
from itertools import groupby, takewhile
from operator import attrgetter

from schemas.lists import Role
from streams.session.context import Message
from streams.session.payloads import ContextSummarized
from streams.session.rules import Rules
from streams.session.sizes import SHORTENED_CHARS, first_chars, json_bytes, shortened

_RUN = attrgetter("run_id")

LINE_CHARS = 200
"""What the summary keeps of a question and of its answer."""


def condense(messages: Sequence[Message], summary: str, rules: Rules) -> ContextSummarized | None:
    """Return how to bring the `messages` of ended runs under `max_history_bytes`, or None when they are.

    The oldest whole exchanges move into the summary. The newest one is shortened first: the next question is
    mostly about it.
    """
    total = sum([message.size for message in messages])
    if total <= rules.max_history_bytes:
        return None
    # Some room at once, so that a long conversation is not condensed again at every message.
    target = rules.max_history_bytes * 3 // 4
    exchanges = [list(group) for _run, group in groupby(messages, key=_RUN)]
    dropped_through, newest = 0, exchanges[-1]
    for exchange in exchanges[:-1]:
        if total <= target:
            break
        total -= sum([message.size for message in exchange])
        dropped_through = exchange[-1].order
        summary = _with_line(summary, exchange, rules)
    chosen = _to_shorten(newest, total - target, first=1)
    total -= sum([message.size - shortened(message).size for message in chosen])
    if total <= target:
        short = tuple([message.order for message in chosen])
        return ContextSummarized(dropped_through=dropped_through, summary=summary, shortened=short)
    summary = _with_line(summary, newest, rules)
    return ContextSummarized(dropped_through=newest[-1].order, summary=summary, shortened=())


def shorten_run(
    messages: Sequence[Message], run_id: str, keep_from: int, summary: str, rules: Rules
) -> ContextSummarized | None:
    """Return how to bring the newest run's messages before order `keep_from` under `max_run_bytes`, or None.

    The user's own message stays as it is.
    """
    own = list(takewhile(lambda message: message.run_id == run_id, reversed(messages)))[::-1]
    older = [message for message in own if message.order < keep_from and message.role is not Role.USER]
    excess = sum([message.size for message in older]) - rules.max_run_bytes
    chosen = _to_shorten(older, excess, first=0)
    if not chosen:
        return None
    short = tuple([message.order for message in chosen])
    return ContextSummarized(dropped_through=0, summary=summary, shortened=short)


def _to_shorten(messages: Sequence[Message], excess_bytes: int, *, first: int) -> list[Message]:
    """Return the oldest of `messages[first:]` whose shortening gains `excess_bytes`, or all that help."""
    chosen: list[Message] = []
    for message in messages[first:]:
        if excess_bytes <= 0:
            break
        gain = message.size - shortened(message).size
        if gain > SHORTENED_CHARS:
            chosen.append(message)
            excess_bytes -= gain
    return chosen


def _with_line(summary: str, exchange: Sequence[Message], rules: Rules) -> str:
    asked, said = "", ""
    for message in exchange:
        if message.role is Role.ASSISTANT:
            said = message.content or said
        elif message.role is Role.USER:
            asked = asked or message.content
    line = f"- User: {first_chars(asked, LINE_CHARS)}"
    if said:
        line += f" Assistant: {first_chars(said, LINE_CHARS)}"
    lines = [*summary.splitlines(), line]
    while len(lines) > 1 and json_bytes("\n".join(lines)) > rules.max_summary_bytes:
        del lines[0]
    return "\n".join(lines)
