"""Dead letters and the marks about them as they stand on their topic, and what a redriven message carries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bus.deadletter import HEADERS_DROPPED, PREFIX, REASON, TRUNCATED
from bus.letters import MARK, Box, Deed, Letter, LetterState, Mark, between, letter_of
from bus.redrive import FIRST_PLACE, LETTER, REDRIVEN, Origin, first_place, redriven_headers

ORIGIN = Origin("maestro.runs", 4, 21)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
REASONS: tuple[tuple[str, bytes | None], ...] = (
    (f"{PREFIX}topic", b"maestro.runs"),
    (f"{PREFIX}partition", b"4"),
    (f"{PREFIX}offset", b"21"),
    (f"{PREFIX}stage", b"sink"),
    (f"{PREFIX}exception.message", b"it starts with 0xff"),
    (REASON, b"undecodable"),
)


@dataclass(frozen=True, kw_only=True)
class Read:
    """A message of the dead-letter topic."""

    topic: str = "maestro.dead-letters"
    partition: int = 3
    offset: int = 17
    timestamp: int = 1_000
    key: bytes | None = b"key"
    value: bytes | None = b"\xff"
    headers: Sequence[tuple[str, bytes | None]] = REASONS


def mark(offset: int, did: Deed, *, at: int, partition: int = 3, note: str | None = None) -> Read:
    value = Mark(offset=offset, did=did, by="ann", at=NOW, note=note).model_dump_json().encode()
    return Read(partition=partition, offset=at, value=value, headers=[(MARK, did.value.encode())])


def collected(*messages: Read) -> list[Letter]:
    box = Box()
    for message in messages:
        box.add(message)
    return box.letters()


def test_a_letter_says_whence_and_why() -> None:
    letter = letter_of(Read())
    assert (letter.place, letter.origin, str(letter.origin)) == ("3:17", ORIGIN, "maestro.runs/4/21")
    assert (letter.reason, letter.message, letter.stage) == ("undecodable", "it starts with 0xff", "sink")
    assert (letter.state, letter.redrives, letter.earlier_redrives) == (LetterState.OPEN, 0, 0)


def test_a_letter_that_somebody_else_wrote_has_no_origin() -> None:
    for headers in ([], [(f"{PREFIX}topic", b"x")], [*REASONS, (f"{PREFIX}offset", b"x")]):
        [letter] = collected(Read(headers=headers))
        assert letter.origin is None


def test_what_was_done_last_is_where_a_letter_stands() -> None:
    redriven, discarded = mark(17, Deed.REDRIVEN, at=18), mark(17, Deed.DISCARDED, at=19, note="old")
    [letter] = collected(Read(), redriven, redriven, discarded)
    assert (letter.state, letter.redrives) == (LetterState.DISCARDED, 2)
    assert [(each.did, each.by, each.note) for each in letter.marks][-1] == (Deed.DISCARDED, "ann", "old")
    [letter] = collected(Read(), discarded, redriven)
    assert letter.state is LetterState.REDRIVEN


def test_a_mark_is_about_a_letter_of_its_own_partition_and_is_none_itself() -> None:
    letters = collected(
        Read(timestamp=5), Read(partition=2, timestamp=4), mark(17, Deed.REDRIVEN, at=18, partition=2)
    )
    assert [(letter.place, letter.state) for letter in letters] == [
        ("2:17", LetterState.REDRIVEN),
        ("3:17", LetterState.OPEN),
    ]


def test_a_mark_that_nobody_can_read_and_one_without_its_letter_are_passed_over() -> None:
    unreadable = Read(offset=18, value=b"?", headers=[(MARK, b"redriven")])
    [letter] = collected(mark(3, Deed.DISCARDED, at=16), Read(), unreadable)
    assert letter.state is LetterState.OPEN


def test_letters_are_found_by_ranges_with_both_ends() -> None:
    letters = collected(*(Read(offset=offset) for offset in range(5)), Read(partition=2, offset=2))
    assert [letter.place for letter in between(letters, [(3, 1, 2), (3, 4, 4)])] == ["3:1", "3:2", "3:4"]


def test_a_redriven_message_has_its_own_headers_and_says_where_it_was_first() -> None:
    theirs = [("producer", b"mallory"), ("traceparent", None)]
    headers = redriven_headers(
        [*theirs, *REASONS, (TRUNCATED, b"1"), (HEADERS_DROPPED, b"true")],
        origin=ORIGIN,
        letter="3:17",
        times=1,
    )
    assert headers[:2] == theirs
    assert dict(headers[2:]) == {FIRST_PLACE: b"maestro.runs/4/21", REDRIVEN: b"1", LETTER: b"3:17"}
    assert first_place(headers) == ORIGIN


def test_a_message_that_fails_again_keeps_its_first_place_and_counts_on() -> None:
    once = redriven_headers([], origin=ORIGIN, letter="3:17", times=1)
    letter = letter_of(Read(offset=30, headers=[*once, *REASONS, (f"{PREFIX}offset", b"99")]))
    assert (letter.origin, letter.earlier_redrives) == (Origin("maestro.runs", 4, 99), 1)
    assert letter.origin is not None
    twice = redriven_headers([*once, *REASONS], origin=letter.origin, letter=letter.place, times=2)
    assert len(twice) == len(dict(twice))
    assert dict(twice) == {FIRST_PLACE: b"maestro.runs/4/21", REDRIVEN: b"2", LETTER: b"3:30"}


def test_a_place_is_read_from_its_text_or_not_at_all() -> None:
    assert Origin.parsed("a.b/1/2") == Origin("a.b", 1, 2)
    assert {Origin.parsed(text) for text in ("", "a", "a/1", "a/1/x", "a/-1/2", "/1/2", "a/1/2/3")} == {None}
