"""Which log entries count: fences and void decisions, record by record in partition order. Pure.

A frozen process may wake and publish a decision although another has overtaken it. No compare-and-set can
stop it, so readers judge by Kafka's order: a fence counts only if it names the fence in force as its
predecessor, and a decision counts only if its term is that of the fence in force at its place.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """Where a session's log stands."""

    fence: int = 0
    """The term in force: offset + 1 of the accepted fence, 0 before any."""
    sequence: int = 0
    hash: str = ""
    cause_id: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """One record of task-logs: a fence (`fence_previous` is set) or the entries of one decision."""

    session_id: str
    offset: int
    term: int
    fence_previous: int | None
    cause_id: str
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The accepted entries with the index of their record, in order, and the heads that changed."""

    accepted: list[tuple[int, Entry]]
    heads: dict[str, Head]


def judge(heads: Mapping[str, Head], records: Iterable[Decision], *, erased: frozenset[str]) -> Verdict:
    """Judge `records` of one or more partitions, each in partition order, from where the sessions stand.

    Sessions missing in `heads` are new. Records of `erased` sessions are dropped.
    """
    changed: dict[str, Head] = {}
    accepted: list[tuple[int, Entry]] = []
    for index, record in enumerate(records):
        if record.session_id in erased:
            continue
        head = changed.get(record.session_id) or heads.get(record.session_id) or Head()
        if record.fence_previous is not None:
            if record.fence_previous == head.fence:
                changed[record.session_id] = replace(head, fence=record.offset + 1)
            continue
        if record.term != head.fence:
            continue
        for entry in record.entries:
            if entry["sequence"] > head.sequence:
                head = Head(head.fence, entry["sequence"], entry["hash"], record.cause_id)
                changed[record.session_id] = head
                accepted.append((index, entry))
    return Verdict(accepted, changed)
