"""What the workers of a chaos run wrote down, and what must hold for it. Pure."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

CLOCK_SLACK_S = 0.02
"""Two processes write their times independently of each other; the machine is busy."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a worker's journal."""

    kind: str
    pid: int
    at: float
    id: str = ""
    key: str = ""
    topic: str = ""
    number: int = -1
    partitions: tuple[int, ...] = ()
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """One execution of a step: from its begin to its end, its cancellation or the death of its process."""

    id: str
    pid: int
    begin: float
    end: float


def read(paths: Iterable[Path]) -> list[Fact]:
    """Return the facts of all journals, by time. The last line of a killed process is whole or absent."""
    facts: list[Fact] = []
    for path in paths:
        for line in path.read_text().splitlines():
            raw = json.loads(line)
            raw.pop("reason", None)
            raw["partitions"] = tuple(raw.get("partitions", ()))
            facts.append(Fact(**raw))
    return sorted(facts, key=lambda fact: fact.at)


def missing(facts: Iterable[Fact], produced: Iterable[str]) -> list[str]:
    """Return the ids that were produced and never completed."""
    done = {fact.id for fact in facts if fact.kind == "end"}
    return sorted(set(produced) - done)


def repeats(facts: Iterable[Fact]) -> int:
    """Return how many completions were not the first of their id."""
    ends = [fact.id for fact in facts if fact.kind == "end"]
    return len(ends) - len(set(ends))


def out_of_order(facts: Iterable[Fact]) -> list[str]:
    """Return ids that first began after a later message of the same key and topic had begun."""
    newest: dict[tuple[str, str], int] = {}
    seen: set[str] = set()
    wrong: list[str] = []
    for fact in facts:
        if fact.kind != "begin" or fact.id in seen:
            continue
        seen.add(fact.id)
        lane = (fact.topic, fact.key)
        if fact.number < newest.get(lane, -1):
            wrong.append(fact.id)
        newest[lane] = max(fact.number, newest.get(lane, -1))
    return wrong


def crowded_lanes(facts: Iterable[Fact]) -> list[tuple[str, str]]:
    """Return pairs of ids of one key that ran at the same time in one process."""
    running: dict[tuple[int, str], str] = {}
    wrong: list[tuple[str, str]] = []
    for fact in facts:
        lane = (fact.pid, fact.key)
        if fact.kind == "begin":
            if lane in running:
                wrong.append((running[lane], fact.id))
            running[lane] = fact.id
        elif fact.kind in {"end", "cancelled", "failed"}:
            running.pop(lane, None)
    return wrong


def spans(facts: Iterable[Fact], deaths: Mapping[int, float]) -> list[Span]:
    """Return every execution; `deaths` are the times at which processes were killed."""
    open_: dict[tuple[int, str], float] = {}
    result: list[Span] = []
    for fact in facts:
        if fact.kind == "begin":
            open_[fact.pid, fact.id] = fact.at
        elif fact.kind in {"end", "cancelled", "failed"} and (fact.pid, fact.id) in open_:
            result.append(Span(fact.id, fact.pid, open_.pop((fact.pid, fact.id)), fact.at))
    result.extend(Span(id_, pid, begin, deaths.get(pid, begin)) for (pid, id_), begin in open_.items())
    return result


def overlaps(executions: Iterable[Span]) -> list[str]:
    """Return ids that ran in two processes at the same time."""
    by_id: dict[str, list[Span]] = defaultdict(list)
    for span in executions:
        by_id[span.id].append(span)
    wrong: list[str] = []
    for id_, same in by_id.items():
        same.sort(key=lambda span: span.begin)
        for first, second in pairwise(same):
            if first.pid != second.pid and second.begin + CLOCK_SLACK_S < first.end:
                wrong.append(id_)
    return wrong
