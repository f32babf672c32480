"""Which dead letters are meant, and how they and what came of them are shown."""

from datetime import UTC, datetime

import pytest

from bus.letters import Deed, Letter, Mark
from bus.redrive import REDRIVEN, Origin
from maestro.cli.dlq_deeds import meant
from maestro.cli.dlq_rows import letter_row, outcome_row, standing
from maestro.dead_letters import Outcome
from schemas.errors import ErrorCode, PoisonError

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def marked(did: Deed, *, note: str | None = None) -> Mark:
    return Mark(offset=1, did=did, by="ann", at=NOW, note=note)


def letter(offset: int, *marks: Mark, reason: str = "invalid", earlier: int = 0) -> Letter:
    return Letter(
        partition=3,
        offset=offset,
        timestamp_ms=0,
        reason=reason,
        message="it is wrong",
        stage="session",
        origin=Origin("maestro.user-messages", 3, 9),
        key=b"key",
        ours={REDRIVEN: str(earlier)} if earlier else {},
        marks=marks,
    )


ALL = [
    letter(1),
    letter(2, marked(Deed.REDRIVEN)),
    letter(3, marked(Deed.DISCARDED, note="old")),
    letter(4, reason="undecodable"),
]


@pytest.mark.parametrize(
    ("ranges", "reason", "again", "offsets"),
    [
        ([(3, 1, 9)], None, False, [1, 4]),
        ([(3, 1, 9)], None, True, [1, 2, 3, 4]),
        ([(3, 1, 9)], "undecodable", False, [4]),
        ([(3, 2, 2)], None, False, [2]),  # one that is named alone is meant, whatever was done before
        ([(3, 2, 2), (3, 4, 4)], None, False, [4]),
        ([(2, 1, 9)], None, True, []),
        (None, "invalid", False, [1]),
        (None, "invalid", True, [1, 2, 3]),
    ],
)
def test_ranges_and_reasons_mean_what_nobody_has_seen_to(
    ranges: list[tuple[int, int, int]] | None, reason: str | None, again: bool, offsets: list[int]
) -> None:
    assert [each.offset for each in meant(ALL, ranges, reason, again=again)] == offsets


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (letter(1), "open"),
        (letter(1, marked(Deed.REDRIVEN)), "redriven by ann"),
        (letter(1, marked(Deed.REDRIVEN), marked(Deed.REDRIVEN)), "redriven 2 times, last by ann"),
        (letter(1, marked(Deed.DISCARDED, note="too old")), "discarded by ann: too old"),
        (letter(1, earlier=2), "open (redriven 2 before)"),
    ],
)
def test_the_list_says_who_did_what(one: Letter, words: str) -> None:
    assert standing(letter_row(one)) == words


def test_an_outcome_says_where_the_message_is_or_why_it_is_not() -> None:
    done = Outcome(letter=ALL[0], to=Origin("maestro.user-messages", 3, 12), times=1)
    row = outcome_row(done, did="redriven")
    assert (row["outcome"], row["from"], row["to"], row["redriven"]) == (
        "redriven",
        "maestro.user-messages/3/9",
        "maestro.user-messages/3/12",
        1,
    )
    refused = Outcome(letter=ALL[0], problem=PoisonError("too long", code=ErrorCode.TOO_LARGE))
    row = outcome_row(refused, did="redriven")
    assert (row["outcome"], row["code"], row["problem"]) == ("refused", "too_large", "too long")
