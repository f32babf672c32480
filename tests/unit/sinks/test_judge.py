"""Fences and void decisions: the judge agrees with a naive reading of the rules, however the log is cut."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sinks.postgres.judge import Decision, Head, judge

SESSIONS = ("a", "b")


def entry(sequence: int) -> dict[str, Any]:
    previous = f"h{sequence - 1}" if sequence > 1 else ""
    return {"sequence": sequence, "hash": f"h{sequence}", "previous_hash": previous, "action": "thought"}


def decision(offset: int, *, term: int = 0, first: int = 1, count: int = 1, session: str = "a") -> Decision:
    entries = [entry(sequence) for sequence in range(first, first + count)]
    return Decision(session, 0, offset, term, None, f"cause{offset}", entries)


def fence(offset: int, *, previous: int, session: str = "a") -> Decision:
    return Decision(session, 0, offset, 0, previous, f"cause{offset}", [])


def sequences(records: list[Decision], heads: dict[str, Head] | None = None) -> list[int]:
    return [each["sequence"] for _, each in judge(heads or {}, records, erased=frozenset()).accepted]


def test_a_fence_makes_its_offset_plus_one_the_term_and_older_terms_void() -> None:
    records = [fence(4, previous=0), decision(5, term=0), decision(6, term=5), decision(7, term=5, first=2)]
    assert sequences(records) == [1, 2]
    assert judge({}, records, erased=frozenset()).heads["a"] == Head(5, 2, "h2", "cause7")


def test_a_fence_that_names_another_predecessor_is_ignored() -> None:
    records = [fence(4, previous=0), fence(5, previous=0), decision(6, term=6), decision(7, term=5)]
    assert judge({}, records, erased=frozenset()).heads["a"].fence == 5
    assert sequences(records) == [1]


def test_a_repeated_decision_and_its_repeated_entries_are_dropped() -> None:
    assert sequences([decision(0, count=3), decision(1, count=3), decision(2, first=3, count=2)]) == [
        1,
        2,
        3,
        4,
    ]


def test_erased_sessions_get_nothing_not_even_a_fence() -> None:
    verdict = judge({}, [decision(0), fence(1, previous=0)], erased=frozenset({"a"}))
    assert (verdict.accepted, verdict.heads) == ([], {})


def strays(records: list[Decision], heads: dict[str, Head] | None = None) -> list[int]:
    return [index for index, _ in judge(heads or {}, records, erased=frozenset()).strays]


def test_a_decision_after_a_hole_and_those_on_it_are_strays() -> None:
    records = [decision(0), decision(1, first=3), decision(2, session="b"), decision(3, first=4)]
    assert strays(records) == [1, 3]
    assert "entry 3 does not follow entry 1" in judge({}, records, erased=frozenset()).strays[0][1]
    assert sequences(records) == [1, 1]
    assert judge({}, records, erased=frozenset()).heads["a"].sequence == 1


def test_what_was_left_out_comes_in_when_it_continues_the_log() -> None:
    assert sequences([decision(0), decision(1, first=3), decision(2, first=2), decision(3, first=3)]) == [
        1,
        2,
        3,
    ]


def test_void_decisions_and_those_of_erased_sessions_are_no_strays() -> None:
    assert strays([decision(0), decision(1, first=3, term=9)]) == []
    assert judge({}, [decision(0, first=3)], erased=frozenset({"a"})).strays == []


def test_a_decision_on_another_history_is_a_stray() -> None:
    assert strays([decision(0, first=2)], {"a": Head(0, 1, "another", "cause")}) == [0]


def test_an_erasing_decision_takes_what_came_before_and_after_it() -> None:
    last = decision(2, first=3)
    erasing = Decision("a", 4, 2, 0, None, "cause", [{**last.entries[0], "action": "session_erased"}])
    records = [
        decision(0, count=2),
        decision(1, session="b"),
        erasing,
        decision(3, first=4),
        fence(5, previous=0),
    ]
    verdict = judge({}, records, erased=frozenset())
    assert verdict.erased == {"a"}
    assert [index for index, _ in verdict.accepted] == [1]
    assert set(verdict.heads) == {"b"}


@st.composite
def histories(draw: st.DrawFn) -> list[Decision]:
    """A partition in which processes overtake each other: terms, predecessors and sequences go astray."""
    records: list[Decision] = []
    terms = {name: [0] for name in SESSIONS}
    for offset in range(draw(st.integers(0, 30))):
        session = draw(st.sampled_from(SESSIONS))
        known = terms[session]
        if draw(st.integers(0, 3)) == 0:
            records.append(fence(offset, previous=draw(st.sampled_from(known)), session=session))
            known.append(offset + 1)
        else:
            term, count = draw(st.sampled_from(known)), draw(st.integers(1, 3))
            # Within the fence in force a log has no holes; void decisions may claim any place.
            fence_in_force, accepted = naive(records, session)
            end = max(accepted, default=0) + 1
            first = draw(st.integers(1, end if term == fence_in_force else 12))
            records.append(decision(offset, term=term, first=first, count=count, session=session))
    return records


def naive(records: list[Decision], session: str) -> tuple[int, list[int]]:
    """Read one session's records alone, from the beginning: the fence in force and the accepted sequences."""
    term, accepted = 0, list[int]()
    for record in records:
        if record.session_id != session:
            continue
        if record.fence_previous is not None:
            term = record.offset + 1 if record.fence_previous == term else term
        elif record.term == term:
            accepted += [
                each["sequence"] for each in record.entries if each["sequence"] > max(accepted, default=0)
            ]
    return term, accepted


@given(histories(), st.lists(st.integers(0, 30), max_size=5))
def test_any_cut_into_batches_gives_what_a_naive_reader_accepts(
    records: list[Decision], cuts: list[int]
) -> None:
    heads: dict[str, Head] = {}
    accepted: dict[str, list[int]] = {name: [] for name in SESSIONS}
    places = sorted({0, *(min(cut, len(records)) for cut in cuts), len(records)})
    for first, last in pairwise(places):
        batch = records[first:last]
        verdict = judge(heads, batch, erased=frozenset())
        heads |= verdict.heads
        for index, each in verdict.accepted:
            accepted[batch[index].session_id].append(each["sequence"])
    for name in SESSIONS:
        term, wanted = naive(records, name)
        assert accepted[name] == wanted
        assert heads.get(name, Head()).fence == term
        assert heads.get(name, Head()).sequence == max(wanted, default=0)
