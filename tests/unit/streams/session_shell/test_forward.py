"""What a message keeps when it is sent on to its own partition."""

import pytest

from streams.runtime.record import Record as Message
from streams.session.forward import FORWARDED_FROM, kept_headers

PLACE = (FORWARDED_FROM, b"t.user-messages/2/7")


def message(*headers: tuple[str, bytes]) -> Message:
    return Message(
        topic="t.user-messages",
        partition=2,
        offset=7,
        timestamp_ms=0,
        key=None,
        value=b"{}",
        headers=headers,
    )


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ((), [PLACE]),
        ((("producer", b"mallory"),), [("producer", b"mallory"), PLACE]),
        ((("ce_id", b"1"), ("traceparent", b"00"), ("content-type", b"x")), [PLACE]),
        (((FORWARDED_FROM, b"t.x/0/1"),), [(FORWARDED_FROM, b"t.x/0/1")]),
        ((("large", b"x" * 40_000),), [PLACE]),
    ],
    ids=["nothing", "the producer's", "not ours", "the first place", "not what is too large"],
)
def test_the_producers_headers_and_the_first_place_are_kept(
    headers: tuple[tuple[str, bytes], ...], kept: list[tuple[str, bytes | None]]
) -> None:
    assert kept_headers(message(*headers)) == kept
