"""Which log entries count: fences and void decisions, record by record in partition order. Pure.

A frozen process may wake and publish a decision although another has overtaken it. No compare-and-set can
stop it, so readers judge by Kafka's order: a fence counts only if it names the fence in force as its
predecessor, and a decision counts only if its term is that of the fence in force at its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas.lists import Action

Entry = Mapping[str, Any]
_ERASED = Action.SESSION_ERASED.value


class Head(NamedTuple):
    """Where a session's log stands."""

    fence: int = 0
    """The term in force: offset + 1 of the accepted fence, 0 before any."""
    sequence: int = 0
    hash: str = ""
    cause_id: str | None = None


class Decision(NamedTuple):
    """One record of task-logs: a fence (`fence_previous` is set) or the entries of one decision."""

    session_id: str
    partition: int
    offset: int
    term: int
    fence_previous: int | None
    cause_id: str
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The accepted entries with the index of their record, in order, and the heads that changed.

    Sessions whose log ends with their erasure are in `erased`, and in none of the others.
    """

    accepted: list[tuple[int, Entry]]
    heads: dict[str, Head]
    erased: frozenset[str]
    strays: list[tuple[int, str]]
    """Decisions in force that do not continue their session's log: the index of the record, and why."""


def judge(heads: Mapping[str, Head], records: Sequence[Decision], *, erased: frozenset[str]) -> Verdict:
    """Judge `records` of one or more partitions, each in partition order, from where the sessions stand.

    Sessions missing in `heads` are new. Records of `erased` sessions are dropped, and of those that the
    records themselves erase. A stray decision is left out, and so are those after it, which continue it:
    a record before it is missing, or somebody else wrote it.
    """
    changed: dict[str, Head] = {}
    accepted: list[tuple[int, Entry]] = []
    gone: set[str] = set()
    strays: list[tuple[int, str]] = []
    for index, record in enumerate(records):
        session_id = record.session_id
        if session_id in erased or session_id in gone:
            continue
        head = changed.get(session_id) or heads.get(session_id) or Head()
        if record.fence_previous is not None:
            if record.fence_previous == head.fence:
                changed[session_id] = head._replace(fence=record.offset + 1)
        elif new := _new_entries(head, record):
            if stray := _first_stray(head, new):
                strays.append((index, stray))
                continue
            last = new[-1]
            changed[session_id] = Head(head.fence, last["sequence"], last["hash"], record.cause_id)
            accepted += [(index, entry) for entry in new]
            if _ERASED in [entry["action"] for entry in new]:
                gone.add(session_id)
    return _without_erased(Verdict(accepted, changed, frozenset(gone), strays), records)


def _without_erased(verdict: Verdict, records: Sequence[Decision]) -> Verdict:
    gone = verdict.erased
    if not gone:
        return verdict
    return Verdict(
        [(index, entry) for index, entry in verdict.accepted if records[index].session_id not in gone],
        {session_id: head for session_id, head in verdict.heads.items() if session_id not in gone},
        verdict.erased,
        [(index, why) for index, why in verdict.strays if records[index].session_id not in gone],
    )


def _new_entries(head: Head, record: Decision) -> list[Entry]:
    if record.term != head.fence:
        return []
    return [entry for entry in record.entries if entry["sequence"] > head.sequence]


def _first_stray(head: Head, new: Sequence[Entry]) -> str | None:
    sequence, chain = head.sequence, head.hash
    for entry in new:
        if entry["sequence"] != sequence + 1 or entry["previous_hash"] != chain:
            return (
                f"entry {entry['sequence']} does not follow entry {sequence} of its session that the record "
                "has: a record between them is missing, or is another"
            )
        sequence, chain = entry["sequence"], entry["hash"]
    return None
